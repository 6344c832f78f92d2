"""An image file as the RGB bytes that are trained on, and what makes a file no image to train on.

Images are converted as the released loaders do it, by Pillow's ``convert("RGB")``: transparency is dropped, CMYK, YCbCr
and palettes become colours. Greys of 16 bits, which Pillow would cut at 255, so that they are white, keep their upper
eight bits, as Pillow does with colours of 16 bits. Other greys of more than 8 bits say nowhere what is white, and are
refused.
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

JPEG = b"\xff\xd8"
DAMAGE = "Corrupt JPEG data: "  # begins what libjpeg prints of a scan that does not follow from its own beginning


class UnknownGreys(ValueError):
    """Greys that do not say what is white."""


def as_rgb(image: Image.Image) -> Image.Image:
    """The image in RGB; UnknownGreys as ``check_mode`` raises it."""
    check_mode(image)
    if image.mode in ("I", "I;16", "I;16B", "I;16L", "I;16N"):
        upper = np.asarray(image).astype(np.int64) >> 8
        image = Image.fromarray(upper.clip(0, 255).astype(np.uint8))
    return image.convert("RGB")


def check_mode(image: Image.Image) -> None:
    """Raises UnknownGreys for those of 32 bits, where the format is not PGM, which says what is white, and for real
    numbers."""
    if image.mode == "F" or (image.mode == "I" and image.format != "PPM"):
        kind = "real numbers" if image.mode == "F" else "32 bits"
        raise UnknownGreys(f"greys of {kind} do not say what is white: save it with 8 or 16 bits")


def damaged(paths: Iterable[Path], pool: Executor) -> tuple[Path, str] | None:
    """The first JPEG whose scan does not decode to what its beginning promises, and what libjpeg says of it.

    Pillow decodes such files without a word, and so does torchvision, but there libjpeg prints to the error stream,
    which is caught for that time. Damage after which the codes happen to fit again stays unseen.
    """
    paths = [path for path in paths if _is_jpeg(path)]
    if not _printed(lambda: list(pool.map(_decode, paths))):
        return None
    for path in paths:
        if said := _printed(lambda path=path: _decode(path)):
            return path, said
    return None


def _is_jpeg(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(JPEG)) == JPEG


def _decode(path: Path) -> None:
    from torchvision.io import ImageReadMode, decode_image, read_file  # slow to import, and few sets need it

    try:
        decode_image(read_file(str(path)), ImageReadMode.GRAY)  # whose scan is read all the same
    except RuntimeError:  # a kind that torchvision does not know; Pillow has decoded it
        return


def _printed(work: Callable[[], object]) -> str:
    """What libjpeg says of damage while ``work`` is done; the first line."""
    with tempfile.TemporaryFile() as file:
        with _error_stream(file.fileno()):
            work()
        file.seek(0)
        lines = file.read().decode("utf-8", "replace").splitlines()
    return next((line.removeprefix(DAMAGE) for line in lines if line.startswith(DAMAGE)), "")


@contextmanager
def _error_stream(file: int) -> Iterator[None]:
    """An open file in the place of the process's error stream, below Python's own ``sys.stderr``."""
    before = os.dup(2)
    os.dup2(file, 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
