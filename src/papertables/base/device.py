"""The device that computes: choice, name, peak memory."""

import os
import platform
import resource

import torch

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


def computed_precision(device: torch.device, asked: str) -> str:
    """Autocast runs on a GPU alone; a CPU computes in fp32."""
    return asked if device.type == "cuda" else "fp32"


def describe(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu ({platform.machine()})"


def peak_memory_mb(device: torch.device) -> float:
    """The peak of the process: allocated on the GPU, or resident on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if platform.system() == "Darwin" else 2**10)
