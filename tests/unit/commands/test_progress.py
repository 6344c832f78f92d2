"""What is said while Snakemake runs, and how often its scheduler looks at its queue."""

import logging
import os
import re
import threading
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.scheduling.job_scheduler import JobScheduler

from papertables.artefacts import render
from papertables.artefacts.in_short import in_short
from papertables.artefacts.table import TableCell
from papertables.artefacts.tables import build
from papertables.commands import progress
from papertables.commands.progress import Progress
from papertables.commands.scheduling import look_once_at_a_time
from papertables.planning.plan import Plan
from tests.unit import artefact_world as world
from tests.unit.plans import plan_of


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_of()


def followed(plan: Plan, stream: StringIO) -> Iterator[str]:
    """What is said after each training job of a table, ten seconds apart."""
    jobs = plan.jobs_for("attrvr_table1")
    needed = [SimpleNamespace(rule=SimpleNamespace(name="train"), wildcards_dict={"job": job.id}) for job in jobs]
    needed.append(SimpleNamespace(rule=SimpleNamespace(name="table"), wildcards_dict={}))
    workflow = SimpleNamespace(dag=SimpleNamespace(needrun_jobs=lambda exclude_finished: needed))
    seconds = iter(range(0, 1000, 10))
    told = Progress(plan, workflow, stream, clock=lambda: next(seconds))
    for number, job in enumerate(jobs):
        begun = {"event": "job_info", "jobid": number, "rule_name": "train", "wildcards": {"job": job.id}}
        told.emit(logging.makeLogRecord(begun))
        told.emit(logging.makeLogRecord({"event": "job_finished", "job_id": number}))
        yield stream.getvalue()
        stream.seek(0)
        stream.truncate()


@pytest.mark.slow
def test_runs_made_and_left(plan):
    runs = [len(job.runs) for job in plan.jobs_for("attrvr_table1")]
    said = [*followed(plan, Terminal())]
    assert [line.partition(" runs")[0] for line in said] == [f"{sum(runs[: n + 1])} of {sum(runs)}" for n in range(4)]
    assert 25 < int(re.search(r"images/s, about (\d+) s left$", said[0])[1]) < 35  # three jobs like the first
    assert said[-1].endswith("images/s, all trained\n")


@pytest.mark.slow
def test_a_log_is_told_of_artefacts_alone(plan):
    assert {*followed(plan, StringIO())} == {""}


def test_one_line_shows_the_bytes_of_all_that_is_fetched(tmp_path, monkeypatch):
    """A part that grows counts, also one that an earlier run left; a job that has ended counts whole."""
    monkeypatch.setattr(progress, "LOOK", 0.01)
    plan = plan_of(data_root=str(tmp_path))
    jobs = [("prepare", {"dataset": "dtd"}), ("fetch_weights", {"file": "ViT-B-16.pt"}), ("cache", {})]
    needed = [SimpleNamespace(rule=SimpleNamespace(name=rule), wildcards_dict=own) for rule, own in jobs]
    workflow = SimpleNamespace(dag=SimpleNamespace(needrun_jobs=lambda exclude_finished: needed))
    weights = Path(plan.paths.weights("clip_vit_b16"))
    weights.parent.mkdir(parents=True)
    part = weights.with_name(f"{weights.name}.elsewhere-7.part")
    part.write_bytes(b"")
    os.truncate(part, 100_000_000)
    terminal = Terminal()
    told = Progress(plan, workflow, terminal)

    def shows(text: str) -> bool:
        deadline = time.monotonic() + 10
        while text not in terminal.getvalue() and time.monotonic() < deadline:
            time.sleep(0.02)
        return text in terminal.getvalue()

    for number, (rule, wildcards) in enumerate(jobs):
        begun = {"event": "job_info", "jobid": number, "rule_name": rule, "wildcards": wildcards}
        told.emit(logging.makeLogRecord(begun))
    assert shows("0.1 of 1.0 GB are here (10%)")
    os.truncate(part, 200_000_000)
    assert shows("0.2 of 1.0 GB are here (20%)")
    for number in range(len(jobs)):
        told.emit(logging.makeLogRecord({"event": "job_finished", "job_id": number}))
    assert shows("1.0 of 1.0 GB are here (100%)")


@pytest.mark.parametrize(
    ("changes", "says"),
    [({}, "VP 76.5 on average, published 76.3"), ({"average": False}, "VP is best in 2 of 2")],
)
def test_a_table_in_short(tmp_path, changes, says):
    table = build(world.planned(**changes), world.metrics(), world.published(tmp_path), {})
    render.write(table, tmp_path / "table")
    assert in_short(tmp_path / "table.json") == f"attrvr_table1 is made: {says}"


def test_a_table_in_which_nothing_is_best_in_short(tmp_path):
    table = build(world.planned(), world.metrics(), world.published(tmp_path), {})
    plain = tuple(tuple(TableCell(mean=cell.mean) for cell in row) for row in table.cells)
    for number, says in enumerate(["Zero-shot 45.0 on average", "Main results"], 1):
        rows = {"rows": table.rows[:number], "cells": plain[:number]}
        render.write(table.model_copy(update=rows | {"groups": (), "standings": (), "other": ()}), tmp_path / "table")
        assert in_short(tmp_path / "table.json") == f"attrvr_table1 is made: {says}"


def test_one_look_is_pending_however_many_jobs_end(monkeypatch):
    monkeypatch.setattr(JobScheduler, "_schedule_reevalutation", JobScheduler._schedule_reevalutation)
    look_once_at_a_time()
    looks = threading.Semaphore(0)
    scheduler = SimpleNamespace(_open_jobs=looks)
    for _ in range(5):
        JobScheduler._schedule_reevalutation(scheduler, 0.01)
    assert looks.acquire(timeout=5) and not looks.acquire(timeout=0.1)
    JobScheduler._schedule_reevalutation(scheduler, 0.01)  # and after it again
    assert looks.acquire(timeout=5)
