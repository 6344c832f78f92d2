"""How far a pipeline is, told while Snakemake runs."""

import logging
import sys
import time
from pathlib import Path
from typing import TextIO

from papertables.artefacts.in_short import in_short
from papertables.planning.cost import Estimator, duration
from papertables.planning.downloads import fetched_by
from papertables.planning.jobs import Job
from papertables.planning.plan import Plan

INFO, FINISHED = "job_info", "job_finished"  # events of Snakemake's log
ARTEFACTS = ("table", "figure")


def follow(plan: Plan, workflow) -> None:
    """From now on, what Snakemake says of its jobs is followed by how far they are."""
    from snakemake.logging import logger

    logger.addHandler(Progress(plan, workflow, sys.stderr))


class Progress(logging.Handler):
    """After each training job, on a terminal alone: runs made and left, images per second through the towers of all
    jobs together, and how long the rest takes at the pace so far; after each data set and file of weights that is
    fetched, the bytes. After each table and figure, in log files too: its line."""

    def __init__(self, plan: Plan, workflow, stream: TextIO, clock=time.monotonic):
        """workflow: Snakemake's, which knows the jobs that are to run once the first of them has begun."""
        super().__init__(logging.INFO)
        self.plan, self.workflow, self.stream, self.clock = plan, workflow, stream, clock
        self.estimator, self.jobs, self.done = Estimator(plan), {}, []
        self.all: list[Job] | None = None
        self.begun: float | None = None  # when training did
        self.fetched = self.to_fetch = 0  # bytes

    def emit(self, record: logging.LogRecord) -> None:
        event = str(getattr(record, "event", ""))
        try:
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
            self.to_fetch = sum(fetched_by(each.rule.name, each.wildcards_dict) for each in jobs)
            names = [each.wildcards_dict["job"] for each in jobs if each.rule.name == "train"]
            self.all = [self.plan.jobs[name] for name in names]
        if self.begun is None and rule == "train":
            self.begun = self.clock()

    def finish(self, rule: str, wildcards: dict[str, str]) -> None:
        if rule in ARTEFACTS:
            planned = self.plan.artefact_at(wildcards["paper"], wildcards["name"])
            print(in_short(Path(f"{self.plan.paths.artefact(planned.artefact)}.json")), file=self.stream, flush=True)
        elif self.stream.isatty() and (size := fetched_by(rule, wildcards)):
            self.fetched += size
            print(f"{self.fetched / 1e9:,.1f} of {self.to_fetch / 1e9:,.1f} GB are here", file=self.stream, flush=True)
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
