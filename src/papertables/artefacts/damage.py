"""What is damaged or gone of what was made at a scale, and what would run again for it. Nothing is written."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from papertables.artefacts.collect import read_lines
from papertables.backbones.catalog import backbone_with
from papertables.base.errors import UserError
from papertables.base.seals import MEND, Damaged, check_tensors, check_zip, is_sealed, read_sealed
from papertables.planning.jobs import Job
from papertables.planning.lost import gone
from papertables.planning.plan import Plan
from papertables.results.mappings import read_mappings
from papertables.results.searches import read_search
from papertables.results.store import MAPPINGS, Store
from papertables.specs.manifests import check_split, read_manifest
from papertables.specs.spec import LEARNER, METRICS

Kind = tuple[str, Callable[[Path], object], str]  # files below the results, how they are read, what runs again


@dataclass(frozen=True)
class Finding:
    """A file that was looked at. problem: what is wrong with it and the mend, None where it is whole. again: what then
    runs."""

    file: str
    problem: str | None = None
    again: str = ""
    sealed: bool = True


def look_through(plan: Plan) -> Iterator[Finding]:
    """Every file of a scale that a later step reads, in the order in which data flow."""
    results, store = Path(plan.paths.results), Store(Path(plan.paths.runs))
    kinds: list[Kind] = [
        ("data/*/manifest.json", read_manifest, "prepare, and what reads that data set"),
        ("data/*/split.json", _split, "prepare, and what reads that data set"),
        ("cache/**/*.safetensors", check_tensors, "cache, and what reads it"),
        ("frozen_features/**/*.safetensors", check_tensors, "nothing: the next job that reads it makes it anew"),
        ("sentence_features/**/*.safetensors", check_tensors, "nothing: the next job that reads it makes it anew"),
        ("searches/**/*.json", read_search, "the search, and runs whose attributes are its winner if that changes"),
        ("searches/**/*.pt", check_zip, "nothing: the search starts anew by itself"),
        ("checkpoints/*.pt", check_zip, "nothing: its runs start anew by themselves"),
        (f"runs/**/{METRICS}", partial(_record, store), "the run"),
        (f"runs/**/{LEARNER}", check_tensors, "the run"),
        (f"runs/**/{MAPPINGS}", read_mappings, "the run"),
        ("inspections/**/*.safetensors", check_tensors, "inspect, and the figure"),
        ("tables/**/*.json", read_sealed, "the table, and the page"),
        ("figures/**/*.json", read_sealed, "the figure, and the page"),
        ("verdicts/*.json", read_sealed, "judge"),
        ("imported/**/*.json", read_sealed, "nothing: import the checkpoint once more"),
    ]
    yield from _weights(plan)
    for pattern, read, again in kinds:
        for path in sorted(results.glob(pattern)):
            yield _looked_at(path, read, again, elsewhere=read is _split)
    for job in plan.jobs.values():
        path = Path(plan.paths.job(job.id))
        if path.exists():
            yield _looked_at(path, partial(_lines, job), "the job, which trains what is not whole")
            for lost in gone(store.root, job.runs):
                yield Finding(str(lost), "it is gone: run again", f"the job {job.id}")


def _looked_at(path: Path, read: Callable[[Path], object], again: str, elsewhere: bool = False) -> Finding:
    """elsewhere: whether its checksum stands in another file."""
    try:
        read(path)
    except UserError as error:
        return Finding(str(path), str(error).removeprefix(f"{path}:").strip(), again)
    return Finding(str(path), sealed=elsewhere or is_sealed(path))


def _weights(plan: Plan) -> Iterator[Finding]:
    for name in dict.fromkeys(job.backbone for job in plan.jobs.values()):
        path, entry = Path(plan.paths.weights(name)), backbone_with(name, plan.config.weights.get(name))
        if path.is_file():
            yield _looked_at(path, entry.check, "fetch_weights, and what reads it", elsewhere=True)


def _split(path: Path) -> None:
    """Against its manifest, which is told by itself where it is damaged."""
    manifest = path.with_name("manifest.json")
    if _looked_at(manifest, read_manifest, "").problem is None:
        check_split(path, manifest)


def _lines(job: Job, path: Path) -> None:
    there = {metrics.run for _, metrics in read_lines([path])}
    for run in job.runs:
        if run.id not in there:
            raise Damaged(path, f"it lacks {run.id}")


def _record(store: Store, path: Path) -> None:
    try:
        store.record(path.parent.relative_to(store.root).as_posix())
    except UserError as error:
        raise UserError(f"{error}: {MEND}") from None
