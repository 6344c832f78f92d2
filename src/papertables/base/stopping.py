"""How a job ends before its time: it is asked to by a signal, or the pipeline that started it is gone."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

PIPELINE = "PAPERTABLES_PIPELINE"  # the variable that names the process of Snakemake that starts a job
SIGNALS = (signal.SIGINT, signal.SIGTERM)
STOPPED = 75  # the status of such an end: what is finished is kept, and the job can go on
GONE = "the pipeline that started it is gone"
PAUSE = 1.0  # seconds between two looks at the pipeline


_asked: list[str] = []  # for what reason a job that is patient was asked to end
_patience = [False]


class Stopped(BaseException):
    """A job is to end, and why. As little as an interrupt from the keyboard it is an error of what is at work."""


class Heeded(Stopped):
    """The same, where what is at work can be kept."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Within it, a signal that asks to end, and the end of the pipeline, raise Stopped in the main thread."""
    ended = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        why = GONE if ended.is_set() else signal.Signals(number).name
        if not _patience[0] or _asked:  # who asks twice means at once
            raise Stopped(why)
        _asked.append(why)

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    done = threading.Event()
    threading.Thread(target=_watch, args=(_pipeline(), ended, done), daemon=True).start()
    try:
        yield
    finally:
        done.set()
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def patient() -> Iterator[None]:
    """Within it, a first request to end raises nothing until ``heed`` is called."""
    _patience[0] = True
    try:
        yield
        heed()
    finally:
        _patience[0] = False
        _asked.clear()


def heed() -> None:
    """Raises Heeded where the job was asked to end."""
    if _asked:
        raise Heeded(_asked[0])


def _pipeline() -> int | None:
    """The process of the pipeline, where it is one of this machine."""
    named = int(os.environ.get(PIPELINE, 0))
    return named if named and _lives(named) else None


def _watch(process: int | None, ended: threading.Event, done: threading.Event) -> None:
    while process and not done.wait(PAUSE):
        if not _lives(process):
            ended.set()
            os.kill(os.getpid(), signal.SIGTERM)
            return


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
