"""Images on their way to the device that computes.

A GPU keeps those of a training as bytes in its own memory where they fit, and augments them there; of others the next
batch is read while this one computes. On a CPU they are read when they are asked for.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from papertables.base.device import free_memory, moved
from papertables.data.cache import ImageCache, OriginalCache

SHARE = 0.25  # of the free memory of a device, that images may take
Key = TypeVar("Key")
Made = TypeVar("Made")


class Resident:
    """Some rows of a cache, as bytes on a device; named by the cache's own rows. ``places``: by row, which of them it
    is, where all have one ``shape``."""

    def __init__(self, images: ImageCache, rows: Sequence[int], device: torch.device):
        self.labels, self.sizes = images.labels, images.sizes
        lengths = 3 * images.sizes[rows].prod(axis=1)
        self.starts = dict(zip(map(int, rows), np.cumsum(lengths) - lengths, strict=True))
        self.shape = (3, *images.sizes[rows[0]]) if len(np.unique(images.sizes[rows], axis=0)) == 1 else None
        self.places = np.zeros(len(images), np.int64)
        self.places[rows] = np.arange(len(rows))
        self.content = torch.empty(int(lengths.sum()), dtype=torch.uint8, device=device)
        for row, start in self.starts.items():
            image = torch.from_numpy(images.image(row).reshape(-1).copy())
            self.content[start : start + len(image)] = moved(image, device)

    def batch(self, rows: Sequence[int]) -> Tensor:
        """As ``ImageCache.batch``: (B, 3, height, width), uint8, on the device."""
        if self.shape:
            places = moved(torch.from_numpy(self.places[rows]), self.content.device)
            return self.content.view(-1, *self.shape).index_select(0, places)
        height, width = self.sizes[rows].max(axis=0)
        out = self.content.new_zeros(len(rows), 3, height, width)
        for image, row in zip(out, rows, strict=True):
            (h, w), start = self.sizes[row], self.starts[int(row)]
            image[:, :h, :w] = self.content[start : start + 3 * h * w].view(3, h, w)
        return out


Images = ImageCache | Resident


def resident(images: ImageCache, rows: Sequence[int], device: torch.device) -> Images:
    """The rows on a GPU that has room for them; else, and of originals, which the CPU decodes, the cache itself."""
    if device.type != "cuda" or isinstance(images, OriginalCache):
        return images
    fits = 3 * int(images.sizes[rows].prod(axis=1).sum()) <= SHARE * free_memory(device)
    return Resident(images, rows, device) if fits else images


def on_device(images: Images, rows: Sequence[int], device: torch.device) -> Tensor:
    """(B, 3, height, width), uint8."""
    found = images.batch(rows)
    return found if isinstance(images, Resident) else moved(torch.from_numpy(found), device)


def ahead(make: Callable[[Key], Made], keys: Iterable[Key], device: torch.device) -> Iterator[Made]:
    """What is made of each key, in order. For a GPU the next one is made in a thread while one is used."""
    if device.type != "cuda":
        yield from map(make, keys)
        return
    with ThreadPoolExecutor(1) as thread:
        waiting = None
        for key in keys:
            following = thread.submit(make, key)
            if waiting:
                yield waiting.result()
            waiting = following
        if waiting:
            yield waiting.result()
