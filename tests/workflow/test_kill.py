"""A job that is killed, interrupted or left alone by its pipeline goes on from its checkpoint and ends with the same
numbers, bit for bit."""

import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress

import pytest
from safetensors.numpy import load_file

from tests.workflow.conftest import TINY_SCALE, copy_project

EPOCHS = 9


def lengthen(project):
    scale = TINY_SCALE.replace("epochs: 2", f"epochs: {EPOCHS}").replace("shots: 2", "shots: 8")
    (project.root / "workflow" / "scales" / "tiny.yaml").write_text(scale)


def results(project):
    """Learners and curves of all runs, without what a clock measured."""
    found = {}
    for path in sorted((project.results / "runs").rglob("metrics.json")):
        metrics = json.loads(path.read_text())
        learner = path.parent / "learner.safetensors"
        tensors = {name: array.tobytes() for name, array in load_file(learner).items()} if learner.exists() else {}
        found[metrics["run"]] = (metrics["curve"], metrics["evaluations"], tensors)
    return found


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = copy_project(tmp_path_factory.mktemp("whole") / "project")
    lengthen(project)
    project.run("attrvr_table1")
    return project


@pytest.fixture(scope="module")
def uninterrupted(project):
    return results(project)


@pytest.fixture
def at_work(project):
    """The pipeline at work again on what it has made, and how to wait for its checkpoints."""
    for trained in ("jobs", "runs", "checkpoints", "tables"):
        shutil.rmtree(project.results / trained)
    process = subprocess.Popen(
        project.command("attrvr_table1", "--config", "scale=tiny", "checkpoint_seconds=0"),
        cwd=project.root,
        env=project.environment,
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    yield process
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stderr.close()


def goes_on(project, uninterrupted):
    assert not list((project.results / "jobs").glob("*table1*.jsonl")), "killed too late to prove anything"
    project.run("--unlock")
    project.run("attrvr_table1")
    assert results(project) == uninterrupted


@pytest.mark.parametrize(
    "count", [8, pytest.param(1, marks=pytest.mark.faults), pytest.param(17, marks=pytest.mark.faults)]
)
def test_killed_job_ends_with_the_same_numbers(project, uninterrupted, at_work, count):
    wait_for_checkpoints(project, count, at_work)
    os.killpg(at_work.pid, signal.SIGKILL)
    at_work.wait()
    goes_on(project, uninterrupted)


def test_a_job_ends_with_its_pipeline(project, uninterrupted, at_work):
    wait_for_checkpoints(project, 2, at_work)
    at_work.kill()  # Snakemake alone
    at_work.wait()
    deadline = time.monotonic() + 60
    while at_work_still(at_work.pid):
        assert time.monotonic() < deadline, "the training lives on"
        time.sleep(0.1)
    logs = (project.results / "logs" / "train").glob("*.log")
    assert any("stopped: the pipeline that started it is gone" in log.read_text() for log in logs)
    goes_on(project, uninterrupted)


def test_an_interrupt_is_told_as_such(project, uninterrupted, at_work):
    wait_for_checkpoints(project, 1, at_work)
    os.killpg(at_work.pid, signal.SIGINT)  # as the terminal does
    shown = at_work.stderr.read()
    assert "\nstopped: SIGINT; what is finished is kept, the same command goes on from there\n" in shown
    assert "Traceback" not in shown
    goes_on(project, uninterrupted)


def at_work_still(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for_checkpoints(project, count: int, process: subprocess.Popen) -> None:
    """Until that many checkpoints were written; one is written after every epoch of a group."""
    seen, deadline = set(), time.monotonic() + 300
    while time.monotonic() < deadline:
        assert process.poll() is None, "snakemake ended before it could be killed"
        for path in (project.results / "checkpoints").glob("*.pt"):
            try:
                seen.add((path.name, path.stat().st_mtime_ns))
            except FileNotFoundError:  # renamed, or removed at the end of its group
                continue
        if len(seen) >= count:
            return
        time.sleep(0.005)
    raise AssertionError(f"no training wrote {count} checkpoints")
