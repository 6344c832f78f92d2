"""A run that fails takes no other with it, and no two processes train the same runs."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr
from io import StringIO

import pytest
from filelock import FileLock

from papertables.base.errors import UserError
from papertables.base.locks import alone, lock_of
from papertables.results.store import Store
from papertables.training.run import Run
from tests.unit.small_world import World, spec

pytestmark = pytest.mark.slow

RUNS = [spec("zero_shot"), spec("ar"), spec("ar", 2), spec("vp")]
BROKEN = RUNS[2].id


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture
def breaking(monkeypatch):
    """Runs whose updates raise."""
    broken, update = set(), Run.update

    def failing(run, lrs):
        if run.id in broken:
            raise RuntimeError("a fault\nin a driver")
        update(run, lrs)

    monkeypatch.setattr(Run, "update", failing)
    return broken


def accuracies(lines: list[dict]) -> dict[str, float]:
    return {line["run"]: line["evaluations"][0]["last"]["accuracy"] for line in lines}


def test_the_others_are_made_and_the_job_fails_at_its_end(world, tmp_path, breaking, capsys):
    whole = world.train(RUNS, tmp_path / "whole")
    breaking.add(BROKEN)
    says = f"1 of 4 runs failed, the others are made and kept; {BROKEN}: RuntimeError: a fault in a driver"
    with pytest.raises(UserError) as error:
        world.train(RUNS, tmp_path / "broken")
    assert str(error.value) == says
    assert "Traceback" in capsys.readouterr().err
    store = Store(tmp_path / "broken" / "runs")
    assert [each.id for each in RUNS if store.read(each.id) is None] == [BROKEN]
    assert not (tmp_path / "broken" / "job.jsonl").exists()
    breaking.clear()
    assert accuracies(world.train(RUNS, tmp_path / "broken")) == accuracies(whole)
    assert "4 runs, 1 to make" in capsys.readouterr().err


def test_what_all_fail_for_is_told_as_it_is(world, tmp_path, breaking):
    breaking.add(BROKEN)
    with pytest.raises(RuntimeError, match="in a driver"):
        world.train([RUNS[2]], tmp_path)


def test_a_transfer_that_fails_leaves_the_training(world, tmp_path, monkeypatch):
    def failing(*_):
        raise OSError("no such device")

    monkeypatch.setattr("papertables.training.job._Work._score_group", failing)
    with pytest.raises(OSError, match="no such device"):
        world.train([RUNS[1]], tmp_path)
    assert Store(tmp_path / "runs").read(RUNS[1].id).outcome == "finished"


def test_a_second_process_waits_and_trains_nothing(world, tmp_path, monkeypatch):
    monkeypatch.setattr("papertables.base.locks.lock_of", lambda work: tmp_path / "locks" / f"{work.stem}.lock")
    world.train(RUNS, tmp_path / "first")
    folder = tmp_path / "second"
    locks = [FileLock(lock, thread_local=False) for lock in (tmp_path / "locks").iterdir()]
    assert locks
    for lock in locks:
        lock.acquire()
    with redirect_stderr(StringIO()) as said, ThreadPoolExecutor(1) as pool:
        second = pool.submit(world.train, RUNS, folder)
        while "waiting until it ends" not in said.getvalue():
            assert not second.done()
            time.sleep(0.1)
        shutil.copytree(tmp_path / "first" / "runs", folder / "runs", dirs_exist_ok=True)
        before = {path: path.stat().st_mtime_ns for path in (folder / "runs").rglob("learner.safetensors")}
        for lock in locks:
            lock.release()
        second.result()
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_a_lock_that_nobody_holds_is_no_obstacle(tmp_path, capsys):
    for _ in range(2):  # the file of the first stays
        with alone(tmp_path / "a.pt", "waits"):
            assert lock_of(tmp_path / "a.pt").exists()
    assert capsys.readouterr().err == ""
