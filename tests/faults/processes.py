"""Processes that are killed, and processes side by side."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from random import Random

import pytest

FORK = multiprocessing.get_context("fork")
KILLS = [3, pytest.param(10, marks=pytest.mark.faults)]


def killed(work: Callable[[], None], times: int, within: float) -> Iterator[int]:
    """Starts the work and kills it after a random time of at most so many seconds; yields after each kill."""
    random = Random(times)
    for number in range(times):
        process = FORK.Process(target=work)
        process.start()
        time.sleep(random.uniform(0, within))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        yield number


def at_once(works: Sequence[Callable[[], None]]) -> list[int]:
    """The exit codes of processes that do these works side by side."""
    processes = [FORK.Process(target=work) for work in works]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]
