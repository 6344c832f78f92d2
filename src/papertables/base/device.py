"""The device that computes: choice, name, memory, and what it computes in."""

import os
import platform
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from papertables.base import gpus
from papertables.base.errors import UserError


def pick_device(name: str) -> torch.device:
    """``auto`` takes a GPU if there is one, ``cuda`` any that no other job holds, ``cuda:N`` the Nth. Raises UserError
    where a GPU is asked for and there is none."""
    mine = gpus.take(name)
    if mine == "auto":
        mine = "cuda" if torch.cuda.is_available() else "cpu"
    if mine != "cpu" and not torch.cuda.is_available():
        raise UserError(f"device is {name}, but torch finds no GPU: set device to cpu or auto in config.yaml")
    return torch.device(mine)


def make_deterministic(device: torch.device) -> None:
    """So that the same job gives the same bits on a GPU too, where an operation has such an implementation; torch warns
    where it has none."""
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # nothing here reads any


def computed_precision(device: torch.device, asked: str) -> str:
    """Autocast runs on a GPU alone; a CPU computes in fp32."""
    return asked if device.type == "cuda" else "fp32"


def computed_numerics(device: torch.device, asked: str) -> str:
    """A CPU computes tests and mapping passes as published, whatever is asked."""
    return asked if device.type == "cuda" else "published"


@contextmanager
def computing_fast(device: torch.device, dtype: torch.dtype) -> Iterator[None]:
    """Half precision by autocast, and convolutions by whichever algorithm cuDNN finds fastest of those that are
    deterministic. For passes without a gradient."""
    with (
        torch.autocast(device.type, dtype),
        torch.backends.cudnn.flags(enabled=True, benchmark=True, deterministic=True, allow_tf32=True),
    ):
        yield


def moved(values: Tensor, device: torch.device | str) -> Tensor:
    """On the device; the host waits for no copy to a GPU."""
    if torch.device(device).type != "cuda":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)


def free_memory(device: torch.device) -> int | None:
    """The bytes that a job may take: those free on the GPU or, on the CPU, the share that its threads have of those
    free on the machine or in its control group. None where no system tells."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    found = [each for each in (_available(), _left_in_group()) if each is not None]
    share = min(1.0, torch.get_num_threads() / (os.cpu_count() or 1))
    return int(min(found) * share) if found else None


def _available(table: Path = Path("/proc/meminfo")) -> int | None:
    """What Linux says could be had without swapping."""
    try:
        lines = table.read_text("utf-8").splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None)


def _left_in_group(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int | None:
    """What the limits of a container or a batch system leave to this process; None where there is none."""
    try:
        folder = root / own.read_text("utf-8").rpartition("::")[2].strip().lstrip("/")
    except OSError:
        return None
    groups = [each for each in (folder, *folder.parents) if each.is_relative_to(root)]
    return min((left for left in map(_left, groups) if left is not None), default=None)


def _left(group: Path) -> int | None:
    """What a control group's own limit leaves."""
    try:
        most, used = ((group / name).read_text("utf-8").strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return None
    return None if most == "max" else max(0, int(most) - int(used))


def describe(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu ({platform.machine()})"


def forget_peak(device: torch.device) -> None:
    """``peak_memory_mb`` begins anew, on a GPU; the peak of a process on the CPU stays."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory_mb(device: torch.device) -> float:
    """The peak of the process: allocated on the GPU, or resident on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if platform.system() == "Darwin" else 2**10)
