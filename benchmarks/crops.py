"""Training crops per second: cut from original files, beside those of images shrunk to the side (on a GPU by batched
products). Originals are decoded each time, or kept in memory; packed runs show the same images in orders of their own.
Drawn JPEG files as large as photographs of ImageNet and of FGVC Aircraft.

python benchmarks/crops.py [cuda]
"""

import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image

from papertables.data import cache
from papertables.data.augment import training_images
from papertables.data.splits import Item

SIDE, COUNT, BATCH, RUNS, REPEATS = 224, 128, 32, 4, 5
SIZES = {"500 x 375": (375, 500), "1024 x 695": (695, 1024)}


def draw(folder: Path, shape: tuple[int, int]) -> list[Item]:
    """Files that compress as photographs do: coarse patches under fine grain."""
    rng, items = np.random.default_rng(0), []
    for number in range(COUNT):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize(shape[::-1])
        grain = np.asarray(coarse) + rng.normal(0, 8, (*shape, 3))
        Image.fromarray(grain.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.jpg", quality=90)
        items.append(Item(f"{number}.jpg", 0, "drawn"))
    return items


def rate(images: cache.ImageCache, device: str, runs: int = 1) -> float:
    """Crops per second over one epoch of runs that train together, the best of some."""
    generators = [torch.Generator().manual_seed(seed) for seed in range(runs)]
    seconds = []
    for _ in range(REPEATS):
        orders = [torch.randperm(COUNT, generator=generator).numpy() for generator in generators]
        began = time.perf_counter()
        for start in range(0, COUNT, BATCH):
            for order, generator in zip(orders, generators, strict=True):
                training_images("resized_crop", images, order[start : start + BATCH], SIDE, generator, device)
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return runs * COUNT / min(seconds)


def originals(path: Path, room: int) -> cache.OriginalCache:
    images = cache.read(path)
    images.memory.room = room
    return images


def main(device: str) -> None:
    for title, shape in SIZES.items():
        with TemporaryDirectory() as name:
            folder = Path(name)
            items = draw(folder, shape)
            size = sum((folder / item.path).stat().st_size for item in items) / COUNT
            for fit, side in (("short", SIDE), ("original", 0)):
                cache.write(folder, items, range(COUNT), side, fit, folder / fit)
            print(f"{title}, {size / 1000:.0f} kB a file, {device}")
            for threads in sorted({1, os.cpu_count()}):
                torch.set_num_threads(threads)
                shrunk = rate(cache.read(folder / "short"), device)
                print(f"  {threads} threads  shrunk images            {shrunk:7.0f} a second")
                for what, room in (("decoded each time", 0), ("kept in memory", cache.MEMORY)):
                    for runs in (1, RUNS):
                        found = rate(originals(folder / "original", room), device, runs)
                        label, ratio = f"{what}, {runs} runs", found / shrunk
                        print(f"  {threads} threads  {label:24} {found:7.0f} a second, {ratio:4.2f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "cpu")
