"""Milliseconds of SMM's input, images + δ ⊙ upscaled mask, and of its backward pass, by kind of upscaling.

python benchmarks/upscaling.py [cuda]
"""

import sys
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from papertables.methods.masks import add_masked

BATCH = 16
REPEATS = 20
SIZES = {"224 px, patch 8": (224, 8), "384 px, patch 16": (384, 16)}


def interpolated(mode: str) -> Callable[..., Tensor]:
    def add(images: Tensor, program: Tensor, mask: Tensor, patch: int) -> Tensor:
        return torch.addcmul(images, program, F.interpolate(mask, scale_factor=patch, mode=mode))

    return add


KINDS = {"ours": add_masked} | {mode: interpolated(mode) for mode in ("nearest", "bilinear", "bicubic")}


def milliseconds(add: Callable[..., Tensor], size: int, patch: int, device: str) -> tuple[float, float]:
    """Forward and backward, the best of some repeats."""
    images, gradient = torch.rand(2, BATCH, 3, size, size, device=device)
    program = torch.rand(3, size, size, device=device, requires_grad=True)
    mask = torch.rand(BATCH, 3, size // patch, size // patch, device=device, requires_grad=True)
    times = []
    for _ in range(REPEATS):
        program.grad = mask.grad = None
        marks = [now(device)]
        out = add(images, program, mask, patch)
        marks.append(now(device))
        out.backward(gradient)
        marks.append(now(device))
        times.append((1000 * (marks[1] - marks[0]), 1000 * (marks[2] - marks[1])))
    return tuple(map(min, zip(*times, strict=True)))


def now(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def main(device: str) -> None:
    torch.set_num_threads(1)
    for title, (size, patch) in SIZES.items():
        print(f"{title}, batch {BATCH}, {device}")
        ours = 0.0
        for name, add in KINDS.items():
            forward, backward = milliseconds(add, size, patch, device)
            ours = ours or forward + backward
            ratio = (forward + backward) / ours
            print(f"  {name:9} forward {forward:7.2f} ms, backward {backward:7.2f} ms, {ratio:5.1f} × ours", flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "cpu")
