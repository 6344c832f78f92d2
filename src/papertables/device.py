"""The device that computes: choice, name, peak memory."""

import platform
import resource

import torch

from papertables.errors import UserError


def pick_device(name: str) -> torch.device:
    """``auto`` takes a GPU if there is one. Raises UserError where a GPU is asked for and there is none."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device 'cuda' is asked for, but torch finds no GPU: set device to cpu or auto in config.yaml")
    return torch.device(name)


def describe(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu ({platform.machine()})"


def peak_memory_mb(device: torch.device) -> float:
    """Of the process: allocated on the GPU, or resident on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if platform.system() == "Darwin" else 2**10)
