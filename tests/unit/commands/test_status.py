"""How far artefacts are, from the files that jobs leave."""

import os
import time
from pathlib import Path

import pytest

from papertables.commands import terminal
from papertables.commands.status import SILENT, status
from papertables.planning.plan import Plan
from papertables.results.store import Store
from papertables.specs.spec import METRICS
from tests.unit.artefact_world import metrics_of
from tests.unit.plans import plan_of

FAILED = "error: weights are damaged: delete them and run again"
SHOWN = ["attrvr_table1", "blm_padding"]
STOPPED = "stopped: SIGTERM; what is finished is kept, the same command goes on from there"


@pytest.fixture
def plan(tmp_path, monkeypatch) -> Plan:
    """Of a folder where nothing was made."""
    monkeypatch.chdir(tmp_path)
    return plan_of()


def write(path: str | Path, text: str) -> Path:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def log(plan: Plan, job: str, text: str) -> Path:
    return write(f"{plan.paths.results}/logs/train/{job}.log", text)


@pytest.mark.slow
def test_at_first_all_is_waiting(plan):
    found = status(plan, ["attrvr_table1"])
    runs = len(plan.artefacts["attrvr_table1"].runs)
    assert found.runs == {"done": 0, "diverged": 0, "running": 0, "waiting": runs, "failed": 0}
    assert found.jobs == 0 and found.seconds > 0 and not found.failures and not found.bytes
    assert found.next == "papertables make attrvr_table1 --scale mini"


def test_each_job_is_told_by_what_it_left(plan):
    jobs = plan.jobs_for(*SHOWN)
    done, failed, stopped, running, silent = jobs[:5]
    store = Store(Path(plan.paths.runs))
    for run in done.runs:
        accuracy = None if run is done.trained[0] else 50.0
        store.write(metrics_of(run, accuracy, accuracy))
    log(plan, done.id, "3 runs, 3 to make\n")
    told = log(plan, failed.id, f"3 runs, 3 to make\nTraceback\n{FAILED}\n")
    log(plan, stopped.id, f"{STOPPED}\n")
    log(plan, running.id, "3 runs, 3 to make\nepoch 1\n")
    store.write(metrics_of(running.runs[0], 50.0, 50.0))
    write(store.root / running.runs[1].id / METRICS, '{"outcome": "finished"')
    long_ago = time.time() - 2 * SILENT
    os.utime(log(plan, silent.id, "3 runs, 3 to make\n"), (long_ago, long_ago))
    found, shown = status(plan, SHOWN), {run.id for id in SHOWN for run in plan.artefacts[id].runs}
    assert found.runs == {
        "done": len(done.runs),
        "diverged": 1,
        "running": len(running.runs) - 1,
        "waiting": sum(run.id in shown for job in [stopped, *jobs[4:]] for run in job.runs),
        "failed": len(failed.runs),
    }
    assert found.jobs == 1
    assert {(failure.job, failure.why) for failure in found.failures} == {
        (f"train/{failed.id}", FAILED),
        (f"train/{stopped.id}", STOPPED),
    }
    assert str(told) in {failure.log for failure in found.failures}
    assert found.next.startswith("papertables status attrvr_table1 blm_padding")


def test_a_failure_is_shown_with_its_reason_and_its_log(plan):
    (job, *_) = plan.jobs_for("attrvr_table1")
    told = log(plan, job.id, f"{FAILED}\n")
    console = terminal.Console(width=200, highlight=False)
    with console.capture() as shown:
        terminal.show_status(console, status(plan, ["attrvr_table1"]))
    lines = shown.get().splitlines()
    assert f"train/{job.id}: {FAILED}" in lines and f"  {told}" in lines
    assert lines[-1] == f"next: mend what {told} tells, then papertables make attrvr_table1 --scale mini"


def test_runs_of_another_configuration_are_not_those_that_are_asked_for(plan):
    job, *_ = plan.jobs_for("attrvr_table1")
    lines = []
    for run in job.runs:
        Store(Path(plan.paths.runs)).write(metrics_of(run, 50.0, 50.0))
        lines.append(Store(Path(plan.paths.runs)).line(run.id))
    write(plan.paths.job(job.id), "".join(lines))
    assert status(plan, ["attrvr_table1"]).runs["done"] == len(job.runs)
    others = plan_of(seeds=[4, 5, 6])
    common = {run.id for run in job.runs} & set(others.job_of)
    assert status(others, ["attrvr_table1"]).runs["done"] == len(common) < len(job.runs)


def test_an_artefact_is_made_once_all_its_runs_are(plan):
    for file in plan.files(["attrvr_table1"]):
        write(file, "")
    found = status(plan, ["attrvr_table1"])
    assert not found.artefacts["attrvr_table1"]["made"] and found.next.startswith("papertables make")


def test_nothing_is_to_mend_of_jobs_that_were_stopped_or_are_not_asked_about(plan):
    (job, *_), (other, *_) = plan.jobs_for("attrvr_table1"), plan.jobs_for("smm_table1")
    log(plan, job.id, f"{STOPPED}\n")
    log(plan, other.id, f"{FAILED}\n")
    write(f"{plan.paths.results}/logs/table/smm/table1.log", f"{FAILED}\n")
    found = status(plan, ["attrvr_table1"])
    assert [failure.job for failure in found.failures] == [f"train/{job.id}"]
    assert found.next == "papertables make attrvr_table1 --scale mini"
    write(f"{plan.paths.results}/logs/prepare/mini_moths.log", f"{FAILED}\n")
    assert "prepare/mini_moths.log" in status(plan, ["attrvr_table1"]).next
