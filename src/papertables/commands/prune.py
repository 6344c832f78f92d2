"""What lies in the results and no artefact of any scale needs: runs, caches, features, searches, checkpoints."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from shutil import rmtree
from typing import get_args

from papertables.base.errors import UserError
from papertables.data.splits import read_split
from papertables.planning.plan import Plan
from papertables.specs.config import Selection
from papertables.specs.spec import METRICS, ShownPart
from papertables.training.job import checkpoint_of, groups_of

FOLDERS = (  # beside that of runs; the last is of earlier versions
    *("jobs", "cache", "data", "frozen_features", "sentence_features"),
    *("searches", "inspections", "checkpoints", "class_vectors"),
)


def unneeded(plan: Plan) -> Iterator[Path]:
    """The files below the results of a plan's scale, or the folders of runs, that none of its artefacts needs."""
    needed = {Path(path) for path in _needed(plan)}
    runs = Path(plan.paths.runs)
    yield from sorted(each.parent for each in runs.rglob(METRICS) if each.parent not in needed)
    for folder in (Path(plan.paths.results, name) for name in FOLDERS):
        yield from sorted(
            each for each in folder.rglob("*") if each.is_file() and each.suffix != ".lock" and each not in needed
        )


def remove(found: list[Path]) -> None:
    """Removes files, and folders of runs whole."""
    for path in found:
        rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def size(path: Path) -> int:
    """Bytes."""
    return sum(each.stat().st_size for each in (path.rglob("*") if path.is_dir() else [path]) if each.is_file())


def _needed(plan: Plan) -> Iterator[str | Path]:
    inputs, paths = plan.inputs, plan.paths
    sets = set()
    for job in plan.jobs.values():
        yield from (Path(paths.job(job.id)), Path(paths.job(job.id)).with_suffix(".note"))
        yield from (Path(paths.runs, run.id) for run in job.runs)
        shown = product(job.runs, get_args(Selection), get_args(ShownPart))
        yield from (paths.inspection(run.id, *of) for run, *of in shown)
        given = inputs.train(job.id)
        yield from _listed(given.files)
        yield from (each.path for each in given.kept)
        sets |= {job.dataset, *given.transfer.frozen}
        if Path(given.frozen.prepared.split).exists():
            yield from _checkpoints(plan, job.id)
    for place in plan.searches:
        sets.add(place[0])
        yield paths.search_result(*place)
        if not Path(paths.search_result(*place)).exists():
            yield Path(paths.search_result(*place)).with_suffix(".pt")  # from which it goes on
        yield from _listed(inputs.search(*place).files)
    for planned in plan.artefacts.values():
        for run in plan.inspected(planned):
            yield from _listed(inputs.inspect(run.id, planned.artefact.part).files)
    sets |= {name for planned in plan.artefacts.values() for name in planned.datasets}
    for name in sets:
        folder = Path(paths.split(name)).parent
        yield from (each for each in folder.rglob("*") if each.is_file())


def _checkpoints(plan: Plan, job: str) -> Iterator[Path]:
    """Of what a job has yet to train."""
    if Path(plan.paths.job(job)).exists():
        return
    given = plan.inputs.train(job)
    try:
        split = read_split(Path(given.frozen.prepared.split))
    except UserError:  # it is damaged, and so is what goes on from it
        return
    for group in groups_of(given, split).values():
        yield checkpoint_of(Path(plan.paths.checkpoints), group)


def _listed(files: dict[str, str | list[str]]) -> Iterator[str]:
    for each in files.values():
        yield from [each] if isinstance(each, str) else each
