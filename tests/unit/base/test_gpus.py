"""Each job takes a GPU of its own; the GPUs are pretended, by names that no machine has."""

import os
import signal
import subprocess
import sys

import pytest

from papertables.base import gpus
from papertables.base.errors import UserError

JOB = """
import os, sys, time
from pathlib import Path
from papertables.base import gpus
gpus.LOCKS = Path(sys.argv[1])
print(gpus.take(sys.argv[2]), os.environ["CUDA_VISIBLE_DEVICES"], gpus.take(sys.argv[2]), flush=True)
time.sleep(60)
"""


@pytest.fixture
def start(tmp_path):
    """Starts jobs that see some GPUs; ends them all."""
    started = []

    def job(device: str = "cuda", visible: str = "GPU-one,MIG-two") -> subprocess.Popen:
        command = [sys.executable, "-c", JOB, str(tmp_path / "locks"), device]
        environment = os.environ | {gpus.VISIBLE: visible}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, env=environment, text=True, **pipes))
        return started[-1]

    yield job
    for process in started:
        process.kill()
        process.communicate()


def took(job: subprocess.Popen) -> str:
    return job.stdout.readline().strip()


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cuda", "auto"])
def test_each_takes_one_of_its_own_and_the_next_waits(start, device):
    first, second = start(device), start(device)
    assert {took(first), took(second)} == {f"{device} GPU-one {device}", f"{device} MIG-two {device}"}
    third = start(device)
    assert "other jobs hold GPU-one and MIG-two" in third.stderr.readline()
    first.send_signal(signal.SIGKILL)  # a crash gives its GPU back
    first.wait()
    assert took(third).split()[1] in ("GPU-one", "MIG-two")


@pytest.mark.slow
def test_one_may_be_named(start):
    assert took(start("cuda:1")) == "cuda MIG-two cuda"
    assert took(start()) == "cuda GPU-one cuda"
    assert "other jobs hold MIG-two" in start("cuda:1").stderr.readline()


@pytest.mark.parametrize(
    ("told", "names"),
    [("", []), ("-1", []), ("2", ["2"]), ("0, 1", ["0", "1"]), ("0,-1,1", ["0"]), ("MIG-a/1/0", ["MIG-a/1/0"])],
)
def test_only_what_is_visible_is_taken(monkeypatch, told, names):
    monkeypatch.setenv(gpus.VISIBLE, told)
    assert gpus.visible() == names


def test_one_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setenv(gpus.VISIBLE, "0,1")
    with pytest.raises(UserError, match="device is cuda:2, but 2 GPUs are visible here"):
        gpus.take("cuda:2")


def test_nothing_is_taken_where_none_is_known(monkeypatch):
    monkeypatch.setenv(gpus.VISIBLE, "")
    assert [gpus.take(device) for device in ("cpu", "auto", "cuda:1")] == ["cpu", "auto", "cuda:1"]
    assert os.environ[gpus.VISIBLE] == ""
