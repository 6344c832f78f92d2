"""Jobs that are killed at random moments, and made again: same bits."""

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from papertables.artefacts import render, tables
from papertables.base.seals import unsealed_json
from papertables.specs.spec import RunSpec
from tests.faults.processes import FORK, KILLS, killed
from tests.faults.table import fault
from tests.unit import artefact_world
from tests.unit.small_world import BACKBONE, CLASSIFIER, World, mapped_spec, spec
from tests.unit.training import test_search as searches
from tests.unit.training.test_prompt_jobs import spec as prompt_spec

pytestmark = pytest.mark.slow

EPOCHS = 30
CLOCK = ("cost", "versions", "git_commit", "seconds")  # what may differ between two runs of the same
METHODS: dict[str, Callable[[], RunSpec]] = {
    "attrvr": partial(spec, "attrvr"),
    "padding": partial(mapped_spec, "padding", "blmp"),
    "smm": partial(mapped_spec, "smm", "ilm"),
    "coop": partial(prompt_spec, "coop"),
    "cocoop": partial(prompt_spec, "cocoop"),
}
tried = partial(fault, "Jobs")


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """The small world of a CLIP, with what a search reads, and that of a classifier."""
    made = {name: World(tmp_path_factory.mktemp("world"), name) for name in (BACKBONE, CLASSIFIER)}
    searches.build_caches(made[BACKBONE].dataset, made[BACKBONE].folder)
    return made


def longer(run: RunSpec) -> RunSpec:
    told = run.model_dump()
    return RunSpec(**told | {"training": told["training"] | {"epochs": EPOCHS}})


def kept(folder: Path) -> dict[str, object]:
    """What lies below a folder: the bits of files, and records without what a clock measured."""
    found = {}
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        content: object = path.read_bytes()
        if path.suffix in (".json", ".jsonl") and content:
            content = {key: value for key, value in json.loads(unsealed_json(content)).items() if key not in CLOCK}
        found[str(path.relative_to(folder))] = content
    return found


def undisturbed(work: Callable[[], None]) -> float:
    """Does the work in a process of its own; the seconds it took."""
    began, process = time.monotonic(), FORK.Process(target=work)
    process.start()
    process.join()
    assert process.exitcode == 0
    return time.monotonic() - began


def survives(work: Callable[[Path], None], folder: Path, kills: int) -> None:
    """The same files, however often the work was killed."""
    seconds = undisturbed(partial(work, folder / "whole"))
    for _ in killed(partial(work, folder / "killed"), kills, within=seconds):
        pass
    undisturbed(partial(work, folder / "killed"))
    whole = kept(folder / "whole")
    assert whole
    assert kept(folder / "killed") == whole


@pytest.mark.parametrize(
    ("method", "kills"), [("attrvr", 3), *(pytest.param(name, 10, marks=pytest.mark.faults) for name in METHODS)]
)
@tried("kill -9 while training, at ten random moments, five methods", "same bits of records, learners and mappings")
def test_kill_training(worlds, tmp_path, method, kills):
    run = longer(METHODS[method]())
    survives(lambda out: worlds[run.backbone].train([run], out, training={"checkpoint_seconds": 0}), tmp_path, kills)


@pytest.mark.parametrize("kills", KILLS)
@tried("kill -9 during a search, at ten random moments", "same weights of all combinations, epoch by epoch")
def test_kill_search(worlds, tmp_path, kills):
    survives(lambda out: searches.searched(worlds[BACKBONE], out, epochs=EPOCHS), tmp_path, kills)


@pytest.mark.parametrize("kills", KILLS)
@tried("kill -9 while a table is written, at ten random moments", "same bytes; nothing is left beside")
def test_kill_drawing(tmp_path, kills):
    planned = artefact_world.planned()
    (tmp_path / "published").mkdir()
    table = tables.build(planned, artefact_world.metrics(), artefact_world.published(tmp_path / "published"), {})
    survives(lambda out: render.write(table, out / "table1"), tmp_path, kills)
