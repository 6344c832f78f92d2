"""How far the making of artefacts is, told by the files that jobs leave: it asks no scheduler and touches no lock, so
it works beside a pipeline, from another machine, and after the end."""

import time
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import disk_usage
from typing import Literal

from papertables.base.scripting import ENDED, ERROR
from papertables.planning.cost import Estimator
from papertables.planning.jobs import Job
from papertables.planning.plan import Plan
from papertables.results.store import Store
from papertables.specs.spec import RunSpec

State = Literal["done", "diverged", "running", "waiting", "failed"]
STATES: tuple[State, ...] = ("done", "diverged", "running", "waiting", "failed")
ENDS: tuple[State, ...] = ("done", "diverged")
OWNED = ("train", "table", "figure")  # rules whose jobs are of some artefacts, not of any
TAIL = 4096  # bytes at the end of a log, where a job's last line is
SILENT = 600.0  # seconds without a word in its log, after which a job is not taken for running


@dataclass(frozen=True)
class Failure:
    """A job whose last attempt failed or was stopped, what it said, and where the whole of it is."""

    job: str
    why: str
    log: str

    @property
    def stopped(self) -> bool:
        """Whether it was asked to end: nothing is to mend, and it goes on."""
        return self.why.startswith(ENDED)


@dataclass(frozen=True)
class Status:
    """How far artefacts are.

    artefacts: by id, whether it is made and waits for none of its runs, and how many of these are in each state; a run
    that several artefacts show counts for each. runs: the same over all of them, each run once. jobs: of training that
    run now. seconds: about how long the rest takes, as far as that is known. bytes: of what was made, by folder; free:
    on that disk.
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
    asked = {f"train/{job.id}" for job in jobs} | {_drawing(plan, id) for id in artefacts}
    failures = list(_failures(logs, asked))
    to_mend, states = [failure for failure in failures if not failure.stopped], {}
    failed = {failure.job for failure in to_mend}
    at_work, left = 0, []
    for job in jobs:
        found = _states(plan, job, f"train/{job.id}" in failed, _speaks(logs / "train" / f"{job.id}.log"))
        states |= found
        at_work += "running" in found.values()
        if set(found.values()) - set(ENDS):
            left.append(job)
    own = {run.id for id in artefacts for run in plan.artefacts[id].runs}  # their jobs may make others, too
    shown = {id: Counter(states[run.id] for run in plan.artefacts[id].runs) for id in artefacts}
    made = {
        id: all(Path(file).exists() for file in plan.files([id])) and shown[id].keys() <= set(ENDS) for id in artefacts
    }
    sizes = {folder.name: _bytes(folder) for folder in sorted(Path(plan.paths.results).glob("*")) if folder.is_dir()}
    return Status(
        scale=plan.scale.name,
        artefacts={id: {"made": made[id], **{state: shown[id][state] for state in STATES}} for id in artefacts},
        runs={state: sum(states[run] == state for run in own) for state in STATES},
        jobs=at_work,
        failures=failures,
        seconds=sum(map(Estimator(plan).job, left)) / max(1, at_work) if left else None,
        bytes=sizes,
        free=disk_usage(next(path for path in Path(plan.paths.results).absolute().parents if path.exists())).free,
        next=_next(plan, artefacts, to_mend, at_work, all(made.values())),
    )


def _states(plan: Plan, job: Job, failed: bool, speaks: bool) -> dict[str, State]:
    """The state of each run of a job. speaks: its log, while it is at work."""
    running = speaks and not Path(plan.paths.job(job.id)).exists()
    other: State = "failed" if failed else "running" if running else "waiting"
    return {run.id: _ended(plan, run) or other for run in job.runs}


def _ended(plan: Plan, run: RunSpec) -> State | None:
    """How a run ended that the store has as it is asked for; None where it has none such."""
    found = Store(Path(plan.paths.runs)).read(run.id)
    if found is None or not found.is_of(run) or not found.has_tests(plan.tests.get(run.id, 0)):
        return None
    return "diverged" if found.diverged else "done"


def _speaks(log: Path) -> bool:
    """Whether a job's log has grown a short while ago, and does not tell how the job ended."""
    return log.exists() and time.time() - log.stat().st_mtime < SILENT and not _last_words(log)


def _failures(logs: Path, own: Collection[str]) -> Iterator[Failure]:
    """Of every log of a job that failed or was stopped, why. own: the jobs of training, and of drawing, that are asked
    about; of the others, any may be waited for."""
    for log in sorted(logs.rglob("*.log")):
        job = log.relative_to(logs).with_suffix("").as_posix()
        if (words := _last_words(log)) and (job in own or job.split("/")[0] not in OWNED):
            yield Failure(job, words, str(log))


def _drawing(plan: Plan, id: str) -> str:
    """The job that draws an artefact."""
    artefact = plan.artefacts[id].artefact
    return f"{artefact.kind}/{artefact.paper}/{Path(plan.paths.artefact(artefact)).name}"


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
