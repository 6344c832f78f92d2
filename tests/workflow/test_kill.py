"""A job killed with SIGKILL goes on from its checkpoint and ends with the same numbers, bit for bit."""

import json
import os
import shutil
import signal
import subprocess
import time

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


@pytest.mark.parametrize("count", [1, 8, 17])
def test_killed_job_ends_with_the_same_numbers(project, uninterrupted, count):
    for trained in ("jobs", "runs", "checkpoints", "tables"):
        shutil.rmtree(project.results / trained)
    process = subprocess.Popen(
        project.command("attrvr_table1", "--config", "scale=tiny", "checkpoint_seconds=0"),
        cwd=project.root,
        env=project.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for_checkpoints(project, count, process)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert not list((project.results / "jobs").glob("*table1*.jsonl")), "killed too late to prove anything"
    project.run("--unlock")
    project.run("attrvr_table1")
    assert results(project) == uninterrupted


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
