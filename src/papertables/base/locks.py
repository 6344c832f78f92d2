"""One process at a time."""

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir

from filelock import FileLock, Timeout


def lock_of(work: Path) -> Path:
    name = hashlib.sha256(str(work.absolute()).encode()).hexdigest()[:10]
    return Path(gettempdir()) / f"papertables-{os.getuid()}" / f"{name}.lock"


@contextmanager
def alone(work: Path, at: str) -> Iterator[None]:
    """Waits until no other process on this machine is at the work that this file stands for. The lock ends with its
    process. It lies on the machine's own disk: on a shared one locks may hang or hold nothing. Two machines that are at
    the same work, as when a node is given up and lives on, write the same. at: what the other does, in words."""
    lock = lock_of(work)
    lock.parent.mkdir(exist_ok=True)
    held = FileLock(lock)
    try:
        held.acquire(blocking=False)
    except Timeout:
        print(f"another process {at} ({lock}): waiting until it ends", file=sys.stderr)
        held.acquire()
    try:
        yield
    finally:
        held.release()
