"""Small images, each in another of the forms that published data sets have."""

from io import BytesIO
from itertools import cycle

import numpy as np
from PIL import Image

ORIENTATION, ON_ITS_SIDE = 0x0112, 6  # of the EXIF note
FORMS = ("colours", "grey", "print", "turned", "colours", "png", "palette", "transparent", "16 bits", "damaged scan")


class Pictures:
    """Draws images, one form after the other; those of a label share a colour. All have the bytes of their form
    whatever the file is called, as published ones do: a GIF may be named .jpg."""

    def __init__(self, seed: int = 0):
        self._rng, self._forms = np.random.default_rng(seed), cycle(FORMS)

    def pixels(self, label: int, height: int, width: int) -> np.ndarray:
        """(height, width, 3) bytes."""
        colour = np.random.default_rng(label).integers(60, 196, 3)
        coarse = self._rng.integers(-60, 60, (-(-height // 8), -(-width // 8), 3)) + colour
        return coarse.repeat(8, 0).repeat(8, 1)[:height, :width].astype(np.uint8)

    def file(self, label: int) -> bytes:
        height, width = self._rng.integers(24, 97, 2)
        return encoded(Image.fromarray(self.pixels(label, height, width)), next(self._forms))

    def ppm(self, label: int) -> bytes:
        height, width = self._rng.integers(16, 41, 2)
        return saved(Image.fromarray(self.pixels(label, height, width)), "PPM")


def encoded(image: Image.Image, form: str) -> bytes:
    match form:
        case "grey":
            return saved(image.convert("L"), "JPEG")
        case "print":
            return saved(image.convert("CMYK"), "JPEG")
        case "turned":
            note = image.getexif()
            note[ORIENTATION] = ON_ITS_SIDE
            return saved(image, "JPEG", exif=note)
        case "png":
            return saved(image, "PNG")
        case "palette":
            return saved(image.convert("P"), "GIF")
        case "transparent":
            return saved(image.convert("RGBA"), "PNG")
        case "16 bits":
            return saved(Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257), "PNG")
        case "damaged scan":
            return damaged(saved(image, "JPEG"))
    return saved(image, "JPEG")


def damaged(jpeg: bytes) -> bytes:
    """With bytes before its end that belong to nothing, of which libjpeg complains and Pillow does not."""
    return jpeg[:-2] + b"\x55" * 40 + jpeg[-2:]


def truncated(jpeg: bytes) -> bytes:
    return jpeg[: len(jpeg) // 2]


def saved(image: Image.Image, format: str, **how) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format, **how)
    return buffer.getvalue()
