"""How far the making of artefacts is, told by the files that jobs leave: it asks no scheduler and touches no lock, so
it works beside a pipeline, from another machine, and after the end."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import disk_usage
from typing import Literal

from papertables.base.scripting import ENDED, ERROR
from papertables.planning.cost import Estimator
from papertables.planning.jobs import Job
from papertables.planning.paths import Paths
from papertables.planning.plan import Plan
from papertables.specs.spec import METRICS

State = Literal["done", "diverged", "running", "waiting", "failed"]
STATES: tuple[State, ...] = ("done", "diverged", "running", "waiting", "failed")
DIVERGED = re.compile(rb'"outcome":\s*"diverged"')
TAIL = 4096  # bytes at the end of a log, where a job's last line is
SILENT = 600.0  # seconds without a word in its log, after which a job is not taken for running


@dataclass(frozen=True)
class Failure:
    """A job whose last attempt failed or was stopped, what it said, and where the whole of it is."""

    job: str
    why: str
    log: str


@dataclass(frozen=True)
class Status:
    """How far artefacts are.

    artefacts: by id, whether it is made, and how many of its runs are in each state; a run that several artefacts show
    counts for each. runs: the same over all of them, each run once. jobs: of training that run now. seconds: about how
    long the rest takes, as far as that is known. bytes: of what was made, by folder; free: on that disk.
    """

    scale: str
    artefacts: dict[str, dict[str, int | bool]]
    runs: dict[State, int]
    jobs: int
    failures: list[Failure]
    seconds: float | None
    bytes: dict[str, int]
    free: int
    next: str

    def record(self) -> dict:
        return asdict(self)


def status(plan: Plan, artefacts: list[str]) -> Status:
    """The status of some artefacts of a plan."""
    jobs, logs = plan.jobs_for(*artefacts), Path(plan.paths.results) / "logs"
    failures = {failure.log: failure for failure in _failures(logs)}
    states: dict[str, State] = {}
    at_work, left = 0, []
    for job in jobs:
        log = logs / "train" / f"{job.id}.log"
        found = _states(plan.paths, job, failed=str(log) in failures, running=_speaks(log))
        states |= found
        at_work += "running" in found.values()
        if set(found.values()) - {"done", "diverged"}:
            left.append(job)
    own = {run.id for id in artefacts for run in plan.artefacts[id].runs}  # their jobs may make others, too
    shown = {id: Counter(states[run.id] for run in plan.artefacts[id].runs) for id in artefacts}
    made = {id: all(Path(file).exists() for file in plan.files([id])) for id in artefacts}
    sizes = {folder.name: _bytes(folder) for folder in sorted(Path(plan.paths.results).glob("*")) if folder.is_dir()}
    return Status(
        scale=plan.scale.name,
        artefacts={id: {"made": made[id], **{state: shown[id][state] for state in STATES}} for id in artefacts},
        runs={state: sum(states[run] == state for run in own) for state in STATES},
        jobs=at_work,
        failures=[*failures.values()],
        seconds=sum(map(Estimator(plan).job, left)) / max(1, at_work) if left else None,
        bytes=sizes,
        free=disk_usage(next(path for path in Path(plan.paths.results).absolute().parents if path.exists())).free,
        next=_next(plan, artefacts, list(failures.values()), at_work, all(made.values())),
    )


def _states(paths: Paths, job: Job, failed: bool, running: bool) -> dict[str, State]:
    """The state of each run of a job."""
    output, there = Path(paths.job(job.id)), {}
    if output.exists():
        lines = output.read_bytes().splitlines()
        there = {run.id: bool(DIVERGED.search(line)) for run, line in zip(job.runs, lines, strict=False)}
    else:
        records = {run.id: Path(paths.runs, run.id, METRICS) for run in job.runs}
        there = {id: bool(DIVERGED.search(path.read_bytes())) for id, path in records.items() if path.exists()}
    other: State = "failed" if failed else "running" if running and not output.exists() else "waiting"
    ended: dict[bool, State] = {True: "diverged", False: "done"}
    return {run.id: ended[there[run.id]] if run.id in there else other for run in job.runs}


def _speaks(log: Path) -> bool:
    """Whether a job's log has grown a short while ago, and does not tell how the job ended."""
    return log.exists() and time.time() - log.stat().st_mtime < SILENT and not _last_words(log)


def _failures(logs: Path) -> Iterator[Failure]:
    """Of every log of a job that failed or was stopped, why."""
    for log in sorted(logs.rglob("*.log")):
        if words := _last_words(log):
            yield Failure(log.relative_to(logs).with_suffix("").as_posix(), words, str(log))


def _last_words(log: Path) -> str:
    """The line with which a script ends when it fails or is stopped; empty where it did not, or has not ended."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL))
        lines = file.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines and lines[-1].startswith((ERROR, ENDED)) else ""


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _next(plan: Plan, artefacts: list[str], failures: list[Failure], at_work: int, made: bool) -> str:
    """What to type now."""
    names = " ".join([] if artefacts == plan.selected else artefacts)
    scale = f"--scale {plan.scale.name}"
    if failures and not at_work:
        return f"mend what {failures[0].log} tells, then papertables make {names} {scale}".replace("  ", " ")
    if at_work:
        return f"papertables status {names} {scale}, later on".replace("  ", " ")
    if made:
        return f"papertables show {artefacts[0]} {scale}"
    return f"papertables make {names} {scale}".replace("  ", " ")
