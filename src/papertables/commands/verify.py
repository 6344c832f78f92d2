"""What of a scale's files is no longer what was written, and what would run again for it. Nothing is written."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from pydantic import JsonValue

from papertables.backbones.catalog import backbone_with
from papertables.base.errors import UserError
from papertables.base.seals import Damaged, check_tensors, check_zip, is_sealed
from papertables.planning.jobs import Job
from papertables.planning.plan import Plan
from papertables.results.metrics import read_record
from papertables.results.searches import read_search
from papertables.results.store import LEARNER, MAPPINGS, METRICS, Store
from papertables.specs.manifests import check_split, read_manifest


@dataclass(frozen=True)
class Finding:
    """problem: the file, and what is wrong with it. again: what makes it anew."""

    problem: str
    again: str


@dataclass
class Verified:
    """files: how many were read. unsealed: those that were written before files carried checksums, whose form alone
    could be looked at."""

    scale: str
    files: int = 0
    unsealed: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """A line per finding, and one that sums up."""
        older = f", {len(self.unsealed):,} without a checksum, from an earlier version" if self.unsealed else ""
        counted = f"{len(self.findings):,} damaged or gone" if self.findings else "none damaged"
        found = [f"{each.problem}: {each.again}" for each in self.findings]
        return [*found, f"scale {self.scale}: {self.files:,} files{older}: {counted}"]

    @property
    def record(self) -> dict[str, JsonValue]:
        return asdict(self)


def verify(plan: Plan) -> Verified:
    """Reads every file of the plan's scale that a later step would read."""
    found, paths = Verified(plan.scale.name), plan.paths
    kinds: list[tuple[str, Callable[[Path], object], str]] = [
        (paths.manifest("*"), read_manifest, "prepared again"),
        (paths.split("*"), lambda path: check_split(path, path.with_name("manifest.json")), "prepared again"),
        (paths.cache("*", "*", "*", "*"), check_tensors, "cached again"),
        (paths.frozen_features("*", "*"), check_tensors, "computed again"),
        (paths.sentence_features("*", "*", "*"), check_tensors, "computed again"),
        (paths.search_result("*", "*", "*"), read_search, "searched again"),
        (paths.inspection("*/*/*", "*"), check_tensors, "looked at again"),
    ]
    for pattern, check, again in kinds:
        for path in sorted(Path().glob(pattern)):
            _read(found, path, check, f"delete it and run again, it is {again}")
    for path in sorted(Path(paths.checkpoints).glob("*.pt")):
        _read(found, path, check_zip, "its runs start anew")
    _weights(found, plan)
    _runs(found, plan)
    return found


def _read(found: Verified, path: Path, check: Callable[[Path], object], again: str) -> None:
    found.files += 1
    try:
        check(path)
    except UserError as error:
        problem = error.found if isinstance(error, Damaged) else str(error).removesuffix(": delete it and run again")
        found.findings.append(Finding(problem, again))
    else:
        if path.name != "split.json" and not is_sealed(path):
            found.unsealed.append(str(path))


def _check_job(job: Job, path: Path) -> None:
    lines = path.read_text("utf-8", errors="replace").splitlines()
    runs = {read_record(line, f"{path}:{number}").run for number, line in enumerate(lines, start=1)}
    for run in job.runs:
        if run.id not in runs:
            raise Damaged(path, f"it lacks {run.id}")


def _weights(found: Verified, plan: Plan) -> None:
    for name in sorted({job.backbone for job in plan.jobs.values()}):
        path = Path(plan.paths.weights(name))
        if path.is_file():
            found.files += 1
            try:
                backbone_with(name, plan.paths.own_weights.get(name)).check(path)
            except UserError as error:
                problem, _, again = str(error).rpartition(": ")
                found.findings.append(Finding(problem, again))


def _runs(found: Verified, plan: Plan) -> None:
    """The job files, and what the runs left of every job that ended."""
    store = Store(Path(plan.paths.runs))
    for job in plan.jobs.values():
        path = Path(plan.paths.job(job.id))
        if not path.exists():
            continue
        _read(found, path, partial(_check_job, job), "delete it and run again, nothing is trained for it")
        for run in job.runs:
            folder = store.root / run.id
            kept = [each for each in (folder / METRICS, folder / LEARNER, folder / MAPPINGS) if each.exists()]
            found.files += len(kept)
            lost, made = store.lost([run]), "it is trained again" if run.training else "it is scored again"
            if lost:
                found.findings.append(Finding(f"{lost[0]}: it is gone", f"run again, {made}"))
                continue
            damaged = [Finding(problem, f"delete {folder} and run again, {made}") for problem in store.unsound([run])]
            found.findings += damaged
            found.unsealed += [] if damaged else [str(each) for each in kept if not is_sealed(each)]
