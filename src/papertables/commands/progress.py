"""How far a pipeline is, told while Snakemake runs."""

import logging
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from papertables.artefacts.in_short import in_short
from papertables.planning.cost import Estimator, duration
from papertables.planning.downloads import Fetching, fetched_by
from papertables.planning.jobs import Job
from papertables.planning.plan import Plan

INFO, FINISHED = "job_info", "job_finished"  # events of Snakemake's log
ARTEFACTS = ("table", "figure")
LOOK = 0.5  # seconds between two looks at files that grow


def follow(plan: Plan, workflow) -> None:
    """From now on, what Snakemake says of its jobs is followed by how far they are."""
    from snakemake.logging import logger

    logger.handlers.insert(0, Progress(plan, workflow, sys.stderr))  # before the one that prints, to make room for it


class Progress(logging.Handler):
    """On a terminal alone: the bytes of all that is fetched, as they come; after each training job runs made and left,
    images per second through the towers of all jobs together, and how long the rest takes at the pace so far. After
    each table and figure, in log files too: its line."""

    def __init__(self, plan: Plan, workflow, stream: TextIO, clock=time.monotonic):
        """workflow: Snakemake's, which knows the jobs that are to run once the first of them has begun."""
        super().__init__(logging.INFO)
        self.plan, self.workflow, self.stream, self.clock = plan, workflow, stream, clock
        self.estimator, self.jobs, self.done = Estimator(plan), {}, []
        self.all: list[Job] | None = None
        self.begun: float | None = None  # when training did
        self.arriving: Arriving | None = None

    def emit(self, record: logging.LogRecord) -> None:
        event = str(getattr(record, "event", ""))
        try:
            if self.arriving:
                self.arriving.make_room()
            if event == INFO:
                self.begin(record.rule_name)
                self.jobs[record.jobid] = record.rule_name, dict(record.wildcards)
            elif event == FINISHED and record.job_id in self.jobs:
                self.finish(*self.jobs.pop(record.job_id))
        except Exception:
            self.handleError(record)

    def begin(self, rule: str) -> None:
        if self.all is None:
            jobs = list(self.workflow.dag.needrun_jobs(exclude_finished=False))
            if self.stream.isatty():
                told = [(each.rule.name, each.wildcards_dict) for each in jobs]
                brought = {_key(*job): fetching for job in told if (fetching := fetched_by(self.plan, *job))}
                self.arriving = Arriving(brought, self.stream) if brought else None
            names = [each.wildcards_dict["job"] for each in jobs if each.rule.name == "train"]
            self.all = [self.plan.jobs[name] for name in names]
        if self.begun is None and rule == "train":
            self.begun = self.clock()

    def finish(self, rule: str, wildcards: dict[str, str]) -> None:
        if rule in ARTEFACTS:
            planned = self.plan.artefact_at(wildcards["paper"], wildcards["name"])
            print(in_short(Path(f"{self.plan.paths.artefact(planned.artefact)}.json")), file=self.stream, flush=True)
        elif self.arriving and _key(rule, wildcards) in self.arriving.fetching:
            self.arriving.end(_key(rule, wildcards))
        elif rule == "train" and self.stream.isatty():
            self.done.append(self.plan.jobs[wildcards["job"]])
            print(self.how_far(), file=self.stream, flush=True)

    def how_far(self) -> str:
        """``54 of 417 runs, 3,120 images/s, 6 min left``."""
        passed = self.clock() - self.begun
        made, every = (sum(len(job.runs) for job in jobs) for jobs in (self.done, self.all))
        counted, whole = (sum(map(self.estimator.job, jobs)) for jobs in (self.done, self.all))
        left = f"about {duration(passed * (whole / counted - 1))} left" if made < every else "all trained"
        return f"{made:,} of {every:,} runs, {sum(map(self.images, self.done)) / passed:,.0f} images/s, {left}"

    def images(self, job: Job) -> float:
        """Through its image tower."""
        return sum(work.images for work in self.estimator.work(job))


def _key(rule: str, wildcards: Mapping[str, str]) -> tuple[str, ...]:
    """Tells a job from all others."""
    return rule, *wildcards.values()


class Arriving:
    """A line with the bytes of all that is fetched, drawn anew until all of them are here; Snakemake alone brings no
    library for it. fetching: by rule and wildcards of each job. whole: the jobs that have ended; for what a source says
    of sizes is rounded."""

    def __init__(self, fetching: Mapping[tuple[str, ...], Fetching], stream: TextIO):
        self.fetching, self.stream, self.whole, self.width = fetching, stream, set(), 0
        self.begun, self.first = time.monotonic(), self.arrived()
        self.total = sum(each.bytes for each in fetching.values())
        self.all_here = threading.Event()
        self.drawing = threading.Thread(target=self.draw_anew, daemon=True)
        self.drawing.start()

    def arrived(self) -> int:
        return sum(each.bytes if job in self.whole else each.arrived() for job, each in self.fetching.items())

    def end(self, job: tuple[str, ...]) -> None:
        """The last one leaves the whole line behind; a pipeline may end right after it."""
        self.whole.add(job)
        if self.whole == self.fetching.keys():
            self.all_here.set()
            self.drawing.join()
            self.draw()
            print(file=self.stream, flush=True)
            self.width = 0

    def draw_anew(self) -> None:
        while not self.all_here.wait(LOOK):
            self.draw()

    def draw(self) -> None:
        text = self.how_far()
        print(f"\r{text:{self.width}}", end="", file=self.stream, flush=True)
        self.width = len(text)

    def how_far(self) -> str:
        """``12.3 of 222.0 GB are here (6 %), 80 MB/s, about 44 min left``."""
        here, passed = self.arrived(), time.monotonic() - self.begun
        pace, left = max(0.0, here - self.first) / passed, self.total - here
        told = f"{here / 1e9:,.1f} of {self.total / 1e9:,.1f} GB are here ({here / self.total:.0%})"
        told += f", {pace / 1e6:,.0f} MB/s"
        return told + (f", about {duration(left / pace)} left" if pace and left else "")

    def make_room(self) -> None:
        """For a line of another's."""
        print(f"\r{'':{self.width}}", end="\r", file=self.stream, flush=True)
