"""A generation that is killed goes on where it was, asks nothing twice, and ends as one that nobody disturbed."""

import json
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from papertables.specs.rules import DescribeJob
from tests.unit.small_world import CLASSES, prepared

PROGRAM = """\
import pickle, sys
from pathlib import Path
from papertables.attributes.asking.describe import describe

describe(pickle.loads(Path(sys.argv[1]).read_bytes()), Path(sys.argv[2]))
"""
N, KILLS = 20, 10


def start(world, answers: Path, out: Path) -> subprocess.Popen:
    source = world.source(sentences={"n": N}, concurrency=2)
    job = DescribeJob("small", "spot", prepared(world.folder), source, str(answers), "des")
    file = world.folder / "job.pickle"
    file.write_bytes(pickle.dumps(job))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(file), str(out)], **quiet)


def stored(answers: Path) -> set[tuple]:
    """What of a request the server sees, of those that are answered."""
    requests = [json.loads(file.read_text())["request"] for file in answers.glob("*.json")]
    return {(each["turns"][-1], each["seed"], each["parameters"]["n"]) for each in requests}


def seen(world) -> list[tuple]:
    requests = world.server.requests
    return [(each["messages"][-1]["content"], each["seed"], each.get("n", 1)) for each in requests]


@pytest.mark.slow
def test_killed_at_ten_random_moments(world, tmp_path):
    world.server.choices, world.server.delay = 1, 0.02
    whole, out = tmp_path / "whole.json", tmp_path / "small_des.json"
    assert start(world, tmp_path / "others", whole).wait() == 0
    answers, random, requests = tmp_path / "answers", Random(0), len(world.server.requests)
    assert requests == 1 + N * len(CLASSES)
    for kill in range(1, KILLS + 1):
        world.server.requests.clear()
        before = stored(answers)
        process = start(world, answers, out)
        target = random.randint(1, requests // KILLS - 1)
        while len(world.server.requests) < target:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.002)
        time.sleep(random.uniform(0, 0.03))
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not out.exists(), f"killed too late to prove anything: {kill}"
        assert not before & set(seen(world))
        time.sleep(0.1)  # what was under way ends
    world.server.requests.clear()
    before = stored(answers)
    assert before
    assert start(world, answers, out).wait() == 0
    assert not before & set(seen(world))
    assert out.read_bytes() == whole.read_bytes()
