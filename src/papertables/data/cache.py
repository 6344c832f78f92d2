"""Decoded, resized images as bytes in one safetensors file per data set, part, side and fit; memory-mapped
on reading.

Fit ``short``: Resize(side) of the short side, bicubic, sizes differ. ``crop``: the same and CenterCrop(side),
CLIP's preprocessing. ``square``: Resize((side, side)), bilinear as torchvision's default is, the preprocessing
of BLM and SMM. All antialiased, by Pillow. Tensors: ``items`` (N,) indices into the part of the split,
``labels`` (N,), ``sizes`` (N, 2) height and width, ``pixels``: the images (3, height, width) one after the
other.
"""

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal

import numpy as np
from PIL import Image

from papertables.data.splits import Item, check_shots, few_shot, read_split, validated
from papertables.errors import UserError
from papertables.files import write_atomic

BLOCK = 256  # images decoded before they are written

Fit = Literal["short", "crop", "square"]
TRANSFORMS = {
    "short": "resize {size}, bicubic",
    "crop": "resize {size}, bicubic, centre crop",
    "square": "resize {size} x {size}, bilinear",
}


@dataclass(frozen=True)
class ImageCache:
    """Images of one part of a data set; ``offsets`` (N + 1,) say where each one lies in ``pixels``."""

    items: np.ndarray
    labels: np.ndarray
    sizes: np.ndarray
    offsets: np.ndarray
    pixels: np.ndarray

    def __len__(self) -> int:
        return len(self.items)

    def image(self, row: int) -> np.ndarray:
        """(3, height, width), uint8, a view into the file."""
        return self.pixels[self.offsets[row] : self.offsets[row + 1]].reshape(3, *self.sizes[row])

    def batch(self, rows: Sequence[int]) -> np.ndarray:
        """(B, 3, height, width) of the largest image among the rows; smaller ones lie top left."""
        height, width = self.sizes[rows].max(axis=0)
        out = np.zeros((len(rows), 3, height, width), np.uint8)
        for image, row in zip(out, rows, strict=True):
            h, w = self.sizes[row]
            image[:, :h, :w] = self.image(row)
        return out

    def rows(self, items: Sequence[int]) -> np.ndarray:
        """The rows that hold these items of the part; UserError where one is not in the cache."""
        rows = {int(item): row for row, item in enumerate(self.items)}
        missing = [item for item in items if item not in rows]
        if missing:
            raise UserError(f"the image cache lacks image {missing[0]} of its part: delete the cache and run again")
        return np.array([rows[item] for item in items])


def build(
    folder: Path,
    part: Literal["train", "val", "test"],
    size: int,
    fit: Fit,
    draws: Sequence[tuple[int, int]] | None,
    out: Path,
    strict_shots: bool = False,
) -> None:
    """Caches a part of the data set in ``folder`` (``split.json``, images) at ``size`` pixels and ``fit``.

    draws: every (shots, seed) that is trained on, their union is cached; None: the whole part. Raises
    UserError for an image that cannot be read and, where ``strict_shots``, for a class with fewer images
    than shots.
    """
    split = validated(read_split(folder / "split.json"))
    items = getattr(split, part)
    chosen = range(len(items))
    if draws is not None:
        if strict_shots:
            check_shots(split, max(shots for shots, _ in draws))
        drawn = [few_shot(split, shots, Random(seed)) for shots, seed in draws]
        chosen = sorted({index for train, val in drawn for index in (val if part == "val" else train)})
    write(folder, [items[index] for index in chosen], list(chosen), size, fit, out)


def write(folder: Path, items: Sequence[Item], indices: Sequence[int], size: int, fit: Fit, out: Path) -> None:
    """Caches these items, which stand at ``indices`` of their part; UserError for an image that cannot be read."""
    paths = [folder / item.path for item in items]
    shapes = [_resized(path, size) if fit == "short" else (size, size) for path in paths]
    arrays = {
        "items": np.array(indices, np.int64),
        "labels": np.array([item.label for item in items], np.int64),
        "sizes": np.array(shapes, np.int64).reshape(-1, 2),
    }
    total = int(3 * arrays["sizes"].prod(axis=1).sum())
    header, start = {"__metadata__": {"transform": TRANSFORMS[fit].format(size=size)}}, 0
    for name, array in arrays.items():
        header[name] = {"dtype": "I64", "shape": array.shape, "data_offsets": (start, start + array.nbytes)}
        start += array.nbytes
    header["pixels"] = {"dtype": "U8", "shape": (total,), "data_offsets": (start, start + total)}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)

    def chunks() -> Iterator[bytes]:
        yield len(text).to_bytes(8, "little") + text
        yield from (array.tobytes() for array in arrays.values())
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for first in range(0, len(paths), BLOCK):
                for image in pool.map(lambda path: load(path, size, fit), paths[first : first + BLOCK]):
                    yield image.tobytes()

    write_atomic(out, chunks())


def read(path: Path) -> ImageCache:
    """Opens a cache; nothing is read before it is asked for."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    content = np.memmap(path, np.uint8, mode="r", offset=8 + length)

    def array(name: str) -> np.ndarray:
        start, stop = header[name]["data_offsets"]
        return content[start:stop].view({"I64": np.int64, "U8": np.uint8}[header[name]["dtype"]])

    sizes = np.array(array("sizes").reshape(-1, 2))
    offsets = np.concatenate([[0], np.cumsum(3 * sizes.prod(axis=1))])
    return ImageCache(np.array(array("items")), np.array(array("labels")), sizes, offsets, array("pixels"))


def load(path: Path, size: int, fit: Fit) -> np.ndarray:
    """(3, height, width), uint8: converted to RGB, then resized by the fit."""
    try:
        with Image.open(path) as image:
            image = image.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as an image ({error}): fetch it again") from None
    if fit == "square":
        return _channels_first(image.resize((size, size), Image.Resampling.BILINEAR))
    height, width = resized_shape(image.height, image.width, size)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    if fit == "crop":
        top, left = round((height - size) / 2), round((width - size) / 2)  # half to even, as torchvision
        image = image.crop((left, top, left + size, top + size))
    return _channels_first(image)


def _channels_first(image: Image.Image) -> np.ndarray:
    return np.asarray(image).transpose(2, 0, 1)


def resized_shape(height: int, width: int, size: int) -> tuple[int, int]:
    """Height and width after the short side became ``size``; the long one is truncated."""
    short, long = sorted((height, width))
    long = int(size * long / short)
    return (size, long) if height <= width else (long, size)


def _resized(path: Path, size: int) -> tuple[int, int]:
    try:
        with Image.open(path) as image:
            return resized_shape(image.height, image.width, size)
    except OSError as error:
        raise UserError(f"{path}: cannot be read as an image ({error}): fetch it again") from None
