"""A job that is asked to end, or whose pipeline is gone, ends by itself and says why."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from papertables.base.scripting import failure
from papertables.base.stopping import GONE, PIPELINE, STOPPED

JOB = """
    import sys, time
    from papertables.base.scripting import script
    with script(sys.argv[1]):
        print("at work", file=sys.__stdout__, flush=True)
        try:
            time.sleep(60)
        except Exception:
            print("an error that a method would heed")
        print("done")
"""
KEPT = "what is finished is kept, the same command goes on from there"


@pytest.fixture
def job(tmp_path):
    """A job of a pipeline that is another process: both at work, and the log."""
    pipeline = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    command = [sys.executable, "-c", textwrap.dedent(JOB), str(tmp_path / "log")]
    environment = os.environ | {PIPELINE: str(pipeline.pid)}
    started = subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert started.stdout.readline() == "at work\n"
    yield started, pipeline, tmp_path / "log"
    for process in (started, pipeline):
        process.kill()
        process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_ends_it(job, number):
    started, _, log = job
    started.send_signal(number)
    _, shown = started.communicate(timeout=30)
    assert (started.returncode, shown) == (STOPPED, f"stopped: {number.name}; {KEPT}\n")
    assert Path(log).read_text() == shown
    assert failure("train", str(log)) == f"train was stopped: {number.name}; {KEPT}"


@pytest.mark.slow
def test_it_ends_with_its_pipeline(job):
    started, pipeline, _ = job
    pipeline.kill()
    pipeline.wait()
    _, shown = started.communicate(timeout=30)
    assert (started.returncode, shown) == (STOPPED, f"stopped: {GONE}; {KEPT}\n")


@pytest.mark.slow
@pytest.mark.parametrize("named", [None, "4194304"])
def test_without_a_pipeline_of_this_machine_it_works_on(tmp_path, named):
    script = textwrap.dedent(JOB).replace("60", "2.5")
    environment = {name: value for name, value in os.environ.items() if name != PIPELINE}
    environment |= {PIPELINE: named} if named else {}
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "log")], env=environment, check=False)
    assert done.returncode == 0
    assert (tmp_path / "log").read_text() == "done\n"
