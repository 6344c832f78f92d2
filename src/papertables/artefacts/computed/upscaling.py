"""What upscaling SMM's masks costs (its table 5): patch-wise, bilinear, bicubic."""

import platform
import time
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from papertables.artefacts.computed.computed_table import Column, ComputedRow, ComputedTable, Source
from papertables.backbones.catalog import backbone
from papertables.methods.masks import upscale
from papertables.specs.artefact import Axis

METHOD = "smm"
BATCH, PART = 256, 16  # images; a batch is upscaled in parts, so that little memory is needed
REPEATS = 5
COLUMNS = (
    Column("pixel accesses (million)", "pixel accesses (1e6)", digits=3),
    Column("seconds per batch", "time per batch (s)", digits=3, compares=False),
    Column("needs backpropagation (1: yes)", "requires backpropagation"),
)


def interpolated(mask: Tensor, patch: int, mode: str) -> Tensor:
    return F.interpolate(mask, scale_factor=patch, mode=mode)


KINDS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "bilinear": partial(interpolated, mode="bilinear"),
    "bicubic": partial(interpolated, mode="bicubic"),
    "patch-wise": upscale,
}


def compute(source: Source) -> ComputedTable:
    rows = []
    for cell in source.cells(Axis(vary="dataset", values=source.paper.datasets[:1]), METHOD):
        run = cell.members[0].runs[0]
        tower, patch = backbone(run.backbone), run.options["patch"]
        for name, kind in KINDS.items():
            read = values_per_pixel(kind, patch)
            accesses = 3 * tower.image_size**2 * read / 1e6
            values = (accesses, seconds_per_batch(kind, tower.image_size, patch), float(read > 1))
            rows.append(ComputedRow(f"{tower.label}: {name}", (tower.label, "", name), values))
    notes = (
        "Pixel accesses: 3 channels × pixels × the mask values that a pixel is made of, counted in its gradient.",
        f"Seconds: mean ± sample standard deviation of {REPEATS} batches of {BATCH} masks, forward alone, on the CPU "
        f"of the machine that made this table ({platform.machine()}, threads: {torch.get_num_threads()}). The "
        "published seconds are those of another machine, so no difference is taken.",
        "Needs backpropagation: a pixel that is made of several mask values weighs them by its position, and so does "
        "its gradient; patch-wise upscaling only copies.",
    )
    return ComputedTable("Upscaling", "Cost of upscaling the masks of a batch", COLUMNS, tuple(rows), notes)


def values_per_pixel(kind: Callable[[Tensor, int], Tensor], patch: int) -> int:
    """How many mask values a pixel far from the border is made of."""
    mask = torch.zeros(1, 1, 8, 8, requires_grad=True)
    pixels = kind(mask, patch)  # (1, 1, 8 · patch, 8 · patch)
    middle = pixels.shape[-1] // 2
    (gradient,) = torch.autograd.grad(pixels[0, 0, middle, middle], mask)
    return int(gradient.count_nonzero())


def seconds_per_batch(kind: Callable[[Tensor, int], Tensor], size: int, patch: int) -> tuple[float, ...]:
    """The seconds of some repeats, after one that does not count."""
    mask = torch.rand(PART, 3, size // patch, size // patch, generator=torch.Generator().manual_seed(0))
    times = []
    with torch.no_grad():
        for _ in range(1 + REPEATS):
            start = time.perf_counter()
            for _ in range(BATCH // PART):
                kind(mask, patch)
            times.append(time.perf_counter() - start)
    return tuple(times[1:])
