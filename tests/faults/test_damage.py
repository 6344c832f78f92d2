"""Files that are damaged: what is said, and that the same is made again once its mend was followed."""

import json
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from random import Random

import pytest
from torch import Tensor

from papertables.artefacts.collect import read_jobs
from papertables.backbones.frozen_features import read_tensors
from papertables.base.errors import UserError
from papertables.base.files import file_digest
from papertables.base.seals import sealed_json
from papertables.data import cache
from papertables.data.splits import read_split
from papertables.results.mappings import read_mappings
from papertables.results.searches import read_search
from papertables.results.store import Store
from papertables.specs.manifests import read_manifest
from papertables.training.checkpoint import Checkpoint, Place
from tests.faults.table import fault
from tests.faults.test_work import kept
from tests.unit.small_world import BACKBONE, CLASSIFIER, World, mapped_spec, spec
from tests.unit.training import test_search as searches
from tests.workflow.conftest import Project, copy_project
from tests.workflow.test_teachers import STUDENTS

pytestmark = pytest.mark.slow

FLIPS = 60  # bytes per kind of file, one at a time
TARGETS = ("attrvr_patterns", "attrvr_neighbours", "blm_evolution", "atprompt_search", STUDENTS)
MEND = re.compile(r"^error: (?P<file>[^:]+).*: delete (?P<what>.+?) and run again", re.MULTILINE)
tried = partial(fault, "Damage")


@dataclass(frozen=True)
class Kind:
    """A kind of file. place: one of them below the results; readers: what is deleted too, so that it is read by the
    next run; gone: what is said where it was deleted, nothing where the next run just makes it."""

    place: str
    readers: tuple[str, ...]
    gone: str = ""


SHOWN, RUNS = ("figures", "tables", "inspections"), ("runs", "figures", "tables", "inspections")
KINDS = {
    "manifest of a data set": Kind("data/*/manifest.json", RUNS),
    "split": Kind("data/*/split.json", RUNS),
    "image cache": Kind("cache/*/train-short-*.safetensors", RUNS),
    "features of test images and prompts": Kind("frozen_features/*/mini-vit.safetensors", RUNS),
    "features of sentences": Kind("sentence_features/*/*/*.safetensors", RUNS),
    "attribute search": Kind("searches/*/*/*.json", SHOWN),
    "learner": Kind("runs/*/*/attrvr-*/learner.safetensors", SHOWN),
    "record of a run": Kind("runs/*/*/attrvr-*/metrics.json", SHOWN),
    "label mappings": Kind("runs/*/*/*-mappingblmp-*seed1-*/mappings.npz", SHOWN, gone="no label mappings"),
    "lines of a job": Kind("jobs/attrvr_*.jsonl", SHOWN),
    "inspection": Kind("inspections/*/*/*/*/*.safetensors", ("figures", "tables")),
}


def flipped(content: bytes, at: int, bit: int = 0) -> bytes:
    return content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :]


def harmed(path: Path, how: str) -> None:
    """A byte in the middle is flipped, the second half is cut off, or the file is deleted."""
    content = path.read_bytes()
    if how == "flipped":
        path.write_bytes(flipped(content, len(content) // 2))
    elif how == "cut off":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.unlink()


# every byte, by the functions that read


@dataclass(frozen=True)
class Read:
    """What a reader is tried on: the file, and what it gives of it."""

    path: Path
    read: Callable[[Path], object]

    def content(self) -> bytes:
        buffer = BytesIO()
        Contents(buffer).dump(self.read(self.path))
        return buffer.getvalue()


class Contents(pickle.Pickler):
    """Of tensors their bits alone: what else torch writes of them differs each time."""

    def reducer_override(self, found: object):
        return (bytes, (found.numpy().tobytes(),)) if isinstance(found, Tensor) else NotImplemented


def checkpoint(path: Path) -> object:
    """What a damaged one says stands in the log, and it counts as none."""
    found = Checkpoint(path, {"run": "0"}).read()
    if found is None:
        raise UserError(f"{path}: not used")
    return found


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Read]:
    """One file of every kind, as the steps write them."""
    folder, other, mapped = (tmp_path_factory.mktemp(name) for name in ("clip", "search", "mapped"))
    world, classifier = World(folder), World(mapped, CLASSIFIER)
    split, manifest = world.prepared.split, world.prepared.manifest
    Path(manifest).write_bytes(sealed_json(json.dumps({"digest": "0" * 64, "split": file_digest(Path(split))})))
    run, mapping = spec("attrvr"), mapped_spec("padding", "blmp")
    world.train([run], folder)
    classifier.train([mapping], mapped)
    searches.build_caches(world.dataset, world.folder)
    search = searches.searched(world, other)
    written = Checkpoint(folder / "group.pt", {"run": "0"})
    written.save([], Place(1), force=True)
    store, mappings = Store(folder / "runs"), Store(mapped / "runs").mappings(mapping.id)
    return {
        "manifest of a data set": Read(Path(manifest), lambda path: read_manifest(path)["digest"]),
        "split": Read(Path(split), lambda _: read_split(world.prepared.checked_split)),
        "image cache": Read(world.caches[next(iter(world.caches))], cache.read),
        "features of test images and prompts": Read(Path(world.frozen.path), read_tensors),
        "features of sentences": Read(Path(world.sources["small"].path), read_tensors),
        "attribute search": Read(other / "small" / BACKBONE / f"{search.spec.id}.json", read_search),
        "learner": Read(store.learner(run.id), lambda _: store.state(run.id, "best")),
        "record of a run": Read(store.root / run.id / "metrics.json", lambda _: store.record(run.id)),
        "label mappings": Read(mappings, read_mappings),
        "lines of a job": Read(folder / "job.jsonl", lambda path: read_jobs([path], store, [run])),
        "checkpoint": Read(written.path, checkpoint),
    }


def complaint(file: Read) -> str | None:
    try:
        file.content()
    except UserError as error:
        return str(error)
    return None


def is_clear(said: str, file: Read) -> bool:
    return str(file.path) in said and "\n" not in said


READ = (
    *("manifest of a data set", "split", "image cache", "features of test images and prompts"),
    *("features of sentences", "attribute search", "learner", "record of a run", "label mappings"),
    *("lines of a job", "checkpoint"),
)


@pytest.mark.parametrize("kind", READ)
@tried(
    f"one flipped byte at {FLIPS} random places, one file of each kind",
    "found, and told in one line with the file; or it reads the same: dates, paddings and names of members in the zip "
    "archives of mappings and checkpoints, the name or the digits of a checksum",
)
def test_a_flipped_byte_is_found_or_counts_nothing(files, kind):
    file, random, found = files[kind], Random(FLIPS), 0
    whole, expected = file.path.read_bytes(), file.content()
    try:
        for _ in range(FLIPS):
            file.path.write_bytes(flipped(whole, random.randrange(len(whole)), random.randrange(8)))
            said = complaint(file)
            found += said is not None
            assert file.content() == expected if said is None else is_clear(said, file)
    finally:
        file.path.write_bytes(whole)
    assert found > FLIPS / 2
    assert file.content() == expected


@pytest.mark.parametrize("kind", READ)
@tried("a file of each kind is cut off at any length, an empty one too", "found, and told in one line with the file")
def test_a_file_that_is_cut_off_is_found(files, kind):
    file, random = files[kind], Random(FLIPS)
    whole, expected = file.path.read_bytes(), file.content()
    try:
        for length in (0, 1, 8, len(whole) - 2, *(random.randrange(len(whole)) for _ in range(10))):
            file.path.write_bytes(whole[:length])
            said = complaint(file)
            assert said and is_clear(said, file)
    finally:
        file.path.write_bytes(whole)
    assert file.content() == expected


# what is said, followed


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A project whose figures and tables read a file of every kind."""
    project = copy_project(tmp_path_factory.mktemp("undisturbed") / "project")
    project.run(*TARGETS)
    return project


@pytest.fixture
def project(undisturbed, tmp_path):
    shutil.copytree(undisturbed.root, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")


def made(project: Project) -> dict[str, object]:
    """What there is below the results, without what a clock measured and without what no later step reads."""
    apart = ("logs/", "benchmarks/", "checkpoints/", "data/mini_digits/raw.json")
    found = kept(project.results)
    return {name: each for name, each in found.items() if not name.startswith(apart) and not name.endswith(".note")}


def verified(project: Project) -> tuple[int, str]:
    command = [sys.executable, "-m", "papertables.commands.cli", "verify", "--scale", "tiny"]
    done = subprocess.run(command, cwd=project.root, env=project.environment, text=True, stdout=subprocess.PIPE)
    return done.returncode, done.stdout


def follow(project: Project, said: str) -> None:
    """Deletes what the errors say."""
    found = list(MEND.finditer(said))
    assert found, said
    for each in found:
        for name in [each["file"]] if each["what"] == "it" else each["what"].split(" and "):
            path = project.root / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def heal(project: Project) -> None:
    """Runs the same command, and does what it says, until it ends well."""
    for _ in range(3):  # a file may stand in the way of several jobs, one after the other
        done = subprocess.run(
            project.command(*TARGETS, "--config", "scale=tiny"),
            cwd=project.root,
            env=project.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if done.returncode == 0:
            break
        assert "Traceback" not in done.stdout
        follow(project, done.stdout)
    assert done.returncode == 0, done.stdout


@pytest.mark.faults
@pytest.mark.parametrize("how", ["flipped", "cut off", "deleted"])
@pytest.mark.parametrize("kind", KINDS)
@tried(
    "a file of each kind is altered, cut off or deleted, and what is said is followed",
    "the same command makes it again; same bits of everything, and `papertables verify` finds nothing",
)
def test_the_mend_heals(undisturbed, project, kind, how):
    path = sorted(project.results.glob(KINDS[kind].place))[0]
    harmed(path, how)
    status, told = verified(project)
    if how != "deleted":
        assert status == 1 and str(path.relative_to(project.root)) in told
    for reader in KINDS[kind].readers:
        shutil.rmtree(project.results / reader, ignore_errors=True)
    heal(project)
    assert made(project) == made(undisturbed)
    assert verified(project)[0] == 0


def reworded(project: Project) -> None:
    """A job's line says another accuracy, in whole JSON."""
    (line, *_) = sorted(project.results.glob("jobs/attrvr_*.jsonl"))
    line.write_text(re.sub(r'"accuracy":\d+', '"accuracy":7', line.read_text(), count=1))


def run_gone(project: Project) -> None:
    """The folder of a run is deleted."""
    shutil.rmtree(sorted(project.results.glob("runs/*/*/attrvr-*"))[0])


@pytest.mark.faults
@pytest.mark.parametrize("harm", [reworded, run_gone])
@tried("a job's line is reworded; the folder of a run is deleted", "the same")
def test_what_no_checksum_tells_heals_too(undisturbed, project, harm):
    harm(project)
    for reader in SHOWN:
        shutil.rmtree(project.results / reader, ignore_errors=True)
    heal(project)
    assert made(project) == made(undisturbed)
