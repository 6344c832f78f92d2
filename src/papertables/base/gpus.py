"""Which GPU of a machine a job takes: one that no other job here holds, whichever pipeline or user started it.

Snakemake counts GPUs, and tells no job which one is its own. So each takes a lock of a file per GPU below the machine's
temporary folder, which ends with its process, and sees that GPU alone.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import gettempdir

from filelock import FileLock, Timeout

from papertables.base.errors import UserError

VISIBLE = "CUDA_VISIBLE_DEVICES"
LOCKS = Path(gettempdir()) / "papertables-gpus"
PAUSE = 1.0  # seconds between two looks for a GPU that is free

_held: list[FileLock] = []  # for as long as the process lives


def take(device: str) -> str:
    """Leaves one GPU for this process to see, before CUDA is asked for anything: for ``auto`` and ``cuda`` any that no
    job holds, for ``cuda:N`` the Nth that is visible, from 0. Waits while they are held. Returns the device's name
    from then on. Does nothing for ``cpu``, and where it is not known which GPUs there are. Raises UserError where
    there is no Nth."""
    if device == "cpu" or _held:
        return device.partition(":")[0]
    names = visible()
    if not names:
        return device
    _, colon, place = device.partition(":")
    if colon and int(place) >= len(names):
        raise UserError(f"device is {device}, but {len(names)} GPUs are visible here, from cuda:0 on: name one of them")
    wanted = [names[int(place)]] if colon else names
    os.environ[VISIBLE] = _hold(wanted)
    return device.partition(":")[0]


def visible() -> list[str]:
    """The GPUs, or parts of one (MIG), that this process may use, as CUDA_VISIBLE_DEVICES names them; none where that
    is empty, or not set and NVIDIA's library is not at hand."""
    told = os.environ.get(VISIBLE)
    if told is None:
        return list(_installed())
    names = [name.strip() for name in told.split(",")]
    return names[: next((place for place, name in enumerate(names) if name in ("", "-1")), None)]


def _hold(names: list[str]) -> str:
    """The first of them that is free, locked."""
    LOCKS.mkdir(exist_ok=True)
    with suppress(PermissionError):  # another user made it
        LOCKS.chmod(0o777)
    told = False
    while True:
        for name in names:
            lock = FileLock(LOCKS / f"{_key(name)}.lock", mode=0o666)
            with suppress(Timeout):
                lock.acquire(blocking=False)
                _held.append(lock)
                return name
        if not told:
            print(f"other jobs hold {' and '.join(names)} (locks in {LOCKS}): waiting for one", file=sys.stderr)
            told = True
        time.sleep(PAUSE)


def _key(name: str) -> str:
    """What a GPU is known by on this machine, whatever number a scheduler gives it: its UUID, where that is known."""
    installed = list(_installed())
    if name.isdecimal() and int(name) < len(installed):
        return installed[int(name)]
    return name.replace("/", "-")


def _installed() -> Iterator[str]:
    """The UUIDs of the machine's GPUs, in the order of their places on the bus; of one that is divided (MIG), those of
    its parts."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return
    for place in range(pynvml.nvmlDeviceGetCount()):
        gpu = pynvml.nvmlDeviceGetHandleByIndex(place)
        parts = []
        with suppress(pynvml.NVMLError):  # it cannot be divided
            if pynvml.nvmlDeviceGetMigMode(gpu)[0]:
                for part in range(pynvml.nvmlDeviceGetMaxMigDeviceCount(gpu)):
                    with suppress(pynvml.NVMLError):  # there is none at this place
                        parts.append(pynvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, part))
        yield from map(pynvml.nvmlDeviceGetUUID, parts or [gpu])
