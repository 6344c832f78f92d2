"""Images as bytes in one safetensors file per data set, part, side and fit; memory-mapped on reading.

Fit ``short``: Resize(side) of the short side, bicubic, sizes differ. ``crop``: the same and CenterCrop(side),
CLIP's preprocessing. ``square``: Resize((side, side)), bilinear as torchvision's default is, the preprocessing of
BLM and SMM; ``square128``: the same of the image at 128 x 128, of any such number. All antialiased, by Pillow.
``original``: the files as they are, to be decoded on use; no side.
Tensors: ``items`` (N,) indices into the part of the split, ``labels`` (N,), ``sizes`` (N, 2) height and width,
``pixels``: the images (3, height, width) one after the other; of originals in its place ``offsets`` (N + 1,) and
``files``, one after the other.
"""

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from pathlib import Path
from random import Random
from threading import Lock
from typing import NamedTuple

import numpy as np
from PIL import Image

from papertables.base.errors import UserError
from papertables.base.files import file_digest, write_atomic
from papertables.base.seals import check_tensors_once, sealed, tensors_header
from papertables.data.images import UnknownGreys, as_rgb
from papertables.data.known_images import read_known
from papertables.data.near import near
from papertables.data.splits import Item, few_shot, read_split, validated
from papertables.specs.manifests import check_split
from papertables.specs.spec import TRAIN_SAMPLE, CachePart

BLOCK = 256  # images decoded before they are written
MEMORY = 2 << 30  # bytes of decoded originals that are kept

Fit = str  # one of TRANSFORMS, or square with a number
TRANSFORMS = {
    "short": "resize {size}, bicubic",
    "crop": "resize {size}, bicubic, centre crop",
    "square": "{first}resize {size} x {size}, bilinear",
    "original": "none",
}


class DamagedImage(UserError):
    """An image that is not what was prepared; without a mend."""


class Box(NamedTuple):
    """A part of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class ImageCache:
    """Images of one part of a data set; ``offsets`` (N + 1,) say where each one lies in ``content``."""

    items: np.ndarray
    labels: np.ndarray
    sizes: np.ndarray
    offsets: np.ndarray
    content: np.ndarray

    def __len__(self) -> int:
        return len(self.items)

    def image(self, row: int) -> np.ndarray:
        """(3, height, width), uint8, a view into the file."""
        return self._own(row).reshape(3, *self.sizes[row])

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

    def crops(self, rows: Sequence[int], boxes: Sequence[Box], size: int, threads: int = 1) -> np.ndarray:
        """The box of each row, resized as ``torchvision.transforms.functional.resized_crop`` resizes a Pillow image
        (bicubic): (B, 3, size, size), uint8. The threads change nothing but the time."""
        each = map if threads == 1 else _pool(threads).map
        return np.stack(list(each(lambda row, box: _resized(self._cut(row, box), size), rows, boxes)))

    def _cut(self, row: int, box: Box) -> Image.Image:
        """The box alone, before it is resized: Pillow's own ``box`` would look at pixels around it."""
        part = self.image(row)[:, box.top : box.top + box.height, box.left : box.left + box.width]
        return Image.fromarray(part.transpose(1, 2, 0))

    def _own(self, row: int) -> np.ndarray:
        """The image's part of the content, (bytes,)."""
        return self.content[self.offsets[row] : self.offsets[row + 1]]


class Memory:
    """Decoded images by row, as many as find room in ``limit`` bytes."""

    def __init__(self, limit: int = MEMORY):
        self.images: dict[int, Image.Image] = {}
        self.room = limit
        self._lock = Lock()

    def keep(self, row: int, image: Image.Image) -> None:
        """Keeps an image where there is room for it."""
        size = 4 * image.width * image.height  # Pillow holds RGB in four bytes
        with self._lock:
            if row not in self.images and size <= self.room:
                self.images[row] = image
                self.room -= size


@dataclass(frozen=True)
class OriginalCache(ImageCache):
    """Images as their files have them: ``content`` is these files."""

    memory: Memory = field(default_factory=Memory)

    def image(self, row: int) -> np.ndarray:
        """(3, height, width), uint8, decoded."""
        return _channels_first(self._decoded(row))

    def _cut(self, row: int, box: Box) -> Image.Image:
        return self._decoded(row).crop((box.left, box.top, box.left + box.width, box.top + box.height))

    def _decoded(self, row: int) -> Image.Image:
        image = self.memory.images.get(int(row)) or _rgb(BytesIO(self._own(row)))
        self.memory.keep(int(row), image)
        return image


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


def _resized(image: Image.Image, size: int) -> np.ndarray:
    """(3, size, size)."""
    return _channels_first(image.resize((size, size), Image.Resampling.BICUBIC))


def build(
    folder: Path,
    part: CachePart,
    size: int,
    fit: Fit,
    draws: Sequence[tuple[int, int]] | None,
    out: Path,
) -> None:
    """Caches a part of the data set in ``folder`` (``split.json``, images) at ``size`` pixels (0 of originals) and
    ``fit``.

    draws: every (shots, seed) that is trained on, their union is cached; None: the whole part, as ``train_whole`` of
    the train part. Of a ``train_sample``
    at most ``TRAIN_SAMPLE`` random images of the train part, always the same. Raises UserError for an image that
    cannot be read.
    """
    check_split(folder / "split.json", folder / "manifest.json")
    split = validated(read_split(folder / "split.json"))
    items = split.train if part in ("train_sample", "train_whole") else getattr(split, part)
    chosen = range(len(items))
    if part == "train_sample" and len(items) > TRAIN_SAMPLE:
        chosen = sorted(Random(0).sample(chosen, TRAIN_SAMPLE))
    if draws is not None:
        drawn = [few_shot(split, shots, Random(seed)) for shots, seed in draws]
        chosen = sorted({index for train, val in drawn for index in (val if part == "val" else train)})
    write(folder, [items[index] for index in chosen], list(chosen), size, fit, out)


def write(folder: Path, items: Sequence[Item], indices: Sequence[int], size: int, fit: Fit, out: Path) -> None:
    """Caches these items, which stand at ``indices`` of their part; UserError for an image that cannot be read, or that
    is not what it was when the data set was prepared."""
    paths = [folder / item.path for item in items]
    known = read_known(folder)
    digests = [known.get(item.path) for item in items]
    with _prepared_again(folder):
        shapes = [_shape(path, size, fit) for path in paths]
    arrays = {
        "items": np.array(indices, np.int64),
        "labels": np.array([item.label for item in items], np.int64),
        "sizes": np.array(shapes, np.int64).reshape(-1, 2),
    }
    if fit == "original":
        name, arrays["offsets"] = "files", _starts([path.stat().st_size for path in paths])
        total = int(arrays["offsets"][-1])
    else:
        name, total = "pixels", int(_pixel_starts(arrays["sizes"])[-1])
    header, start = {"__metadata__": {"transform": transform(size, fit)}}, 0
    for key, array in arrays.items():
        header[key] = {"dtype": "I64", "shape": array.shape, "data_offsets": (start, start + array.nbytes)}
        start += array.nbytes
    header[name] = {"dtype": "U8", "shape": (total,), "data_offsets": (start, start + total)}

    def chunks() -> Iterator[bytes]:
        yield tensors_header(header, start + total)
        yield from (array.tobytes() for array in arrays.values())
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for first in range(0, len(paths), BLOCK):
                block = slice(first, first + BLOCK)
                yield from pool.map(lambda *one: _content(*one, size, fit), paths[block], digests[block])

    with _prepared_again(folder):
        write_atomic(out, sealed(chunks()))


def read(path: Path) -> ImageCache:
    """Opens a cache, or its copy on this machine, which is read once per process to see that it is whole, and else only
    as it is asked for. Raises UserError where it is damaged."""
    path = near(path)
    check_tensors_once(path)
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    content = np.memmap(path, np.uint8, mode="r", offset=8 + length)

    def array(name: str) -> np.ndarray:
        start, stop = header[name]["data_offsets"]
        return content[start:stop].view({"I64": np.int64, "U8": np.uint8}[header[name]["dtype"]])

    items, labels, sizes = (np.array(array(name)) for name in ("items", "labels", "sizes"))
    sizes = sizes.reshape(-1, 2)
    if "files" in header:
        return OriginalCache(items, labels, sizes, np.array(array("offsets")), array("files"))
    return ImageCache(items, labels, sizes, _pixel_starts(sizes), array("pixels"))


def load(path: Path, size: int, fit: Fit) -> np.ndarray:
    """(3, height, width), uint8: converted to RGB, then resized by the fit."""
    with _readable(path):
        image = _rgb(path)
    if fit == "original":
        return _channels_first(image)
    if before := first_side(fit):
        image = image.resize((before, before), Image.Resampling.BILINEAR)
    if fit.startswith("square"):
        return _channels_first(image.resize((size, size), Image.Resampling.BILINEAR))
    height, width = resized_shape(image.height, image.width, size)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    if fit == "crop":
        top, left = round((height - size) / 2), round((width - size) / 2)  # half to even, as torchvision
        image = image.crop((left, top, left + size, top + size))
    return _channels_first(image)


def first_side(fit: Fit) -> int | None:
    """The side to which images are resized before all else, if any."""
    return int(fit.removeprefix("square")) if fit.startswith("square") and fit != "square" else None


def transform(size: int, fit: Fit) -> str:
    """In words."""
    before = first_side(fit)
    first = f"resize {before} x {before}, bilinear, " if before else ""
    return TRANSFORMS["square" if before else fit].format(size=size, first=first)


def _channels_first(image: Image.Image) -> np.ndarray:
    return np.asarray(image).transpose(2, 0, 1)


def resized_shape(height: int, width: int, size: int) -> tuple[int, int]:
    """Height and width after the short side became ``size``; the long one is truncated."""
    short, long = sorted((height, width))
    long = int(size * long / short)
    return (size, long) if height <= width else (long, size)


def _shape(path: Path, size: int, fit: Fit) -> tuple[int, int]:
    """Height and width of the image in the cache."""
    if fit == "crop" or fit.startswith("square"):
        return size, size
    with _readable(path), Image.open(path) as image:
        shape = image.height, image.width
    return shape if fit == "original" else resized_shape(*shape, size)


def _content(path: Path, digest: str | None, size: int, fit: Fit) -> bytes:
    """What the cache holds of an image; DamagedImage where it has another SHA-256 than is known, or cannot be decoded,
    even if it is not decoded here."""
    if digest and path.is_file() and file_digest(path) != digest:
        raise DamagedImage(f"{path}: not what it was when its data set was prepared")
    image = load(path, size, fit)
    return path.read_bytes() if fit == "original" else image.tobytes()


def _starts(lengths: Sequence[int]) -> np.ndarray:
    """Where parts of these lengths begin, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(np.array(lengths, np.int64))])


def _pixel_starts(sizes: np.ndarray) -> np.ndarray:
    return _starts(3 * sizes.prod(axis=1))


def _rgb(file: Path | BytesIO) -> Image.Image:
    """As Dassl and the other released loaders open an image; a note in it that it lies on its side counts nothing."""
    with Image.open(file) as image:
        return as_rgb(image)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """An image that cannot be read is a DamagedImage, one of unknown greys a UserError."""
    try:
        yield
    except UnknownGreys as error:
        raise UserError(f"{path}: {error}") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise DamagedImage(f"{path}: cannot be read as an image ({error})") from None


@contextmanager
def _prepared_again(folder: Path) -> Iterator[None]:
    """Adds the mend: where images are drawn they are drawn again, others come from their archive."""
    try:
        yield
    except DamagedImage as error:
        raise UserError(f"{error}: delete {folder / 'manifest.json'} and run again") from None
