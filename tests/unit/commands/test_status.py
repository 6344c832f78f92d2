"""How far artefacts are, from the files that jobs leave."""

import os
import time
from pathlib import Path

import pytest

from papertables.commands import terminal
from papertables.commands.status import SILENT, status
from papertables.planning.plan import Plan
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
    outcomes = ["diverged", *["finished"] * (len(done.runs) - 1)]
    write(plan.paths.job(done.id), "".join(f'{{"outcome":"{outcome}"}}\n' for outcome in outcomes))
    log(plan, done.id, "3 runs, 3 to make\n")
    told = log(plan, failed.id, f"3 runs, 3 to make\nTraceback\n{FAILED}\n")
    log(plan, stopped.id, f"{STOPPED}\n")
    log(plan, running.id, "3 runs, 3 to make\nepoch 1\n")
    write(f"{plan.paths.runs}/{running.runs[0].id}/metrics.json", '{"outcome": "finished"}')
    long_ago = time.time() - 2 * SILENT
    os.utime(log(plan, silent.id, "3 runs, 3 to make\n"), (long_ago, long_ago))
    found, shown = status(plan, SHOWN), {run.id for id in SHOWN for run in plan.artefacts[id].runs}
    assert found.runs == {
        "done": len(done.runs),
        "diverged": 1,
        "running": len(running.runs) - 1,
        "waiting": sum(run.id in shown for job in jobs[4:] for run in job.runs),
        "failed": len(failed.runs) + len(stopped.runs),
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
