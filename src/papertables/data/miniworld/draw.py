"""Drawing: one scene of attributes becomes one small colour image.

Shapes are distance functions on the pixel grid, made of arithmetic and square roots only, so that the same seed
draws the same pixels anywhere; digits are glyphs of the fonts that ship with matplotlib.
"""

from functools import cache
from math import cos, sin
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDE = 64  # pixels
SHAPES = ("circle", "square", "triangle", "star", "ring", "cross", "heart", "crescent", "diamond", "arrow")
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PALETTE = {
    "red": (215, 35, 40), "orange": (245, 135, 25), "yellow": (245, 220, 40), "green": (45, 160, 60),
    "cyan": (60, 205, 215), "blue": (40, 75, 205), "purple": (125, 50, 160), "pink": (245, 140, 185),
    "black": (18, 18, 20), "white": (240, 240, 236), "gray": (125, 125, 128), "brown": (110, 72, 45),
}  # fmt: skip
ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "form": SHAPES + DIGITS,
    "colour": tuple(PALETTE)[:8],
    "texture": ("plain", "striped", "barred", "dotted", "checked"),
    "size": ("small", "large"),
    "place": ("top", "middle", "bottom"),
    "background": tuple(PALETTE)[8:],
}
Scene = dict[str, str]  # attribute -> value
FONTS = (
    "DejaVuSans-Bold", "DejaVuSans", "DejaVuSans-Oblique", "DejaVuSansMono-Bold", "DejaVuSerif-Bold", "DejaVuSerif",
    "STIXGeneralBol", "STIXGeneralBolIta", "cmb10", "cmss10", "cmtt10",
)  # fmt: skip


def sample_scene(rng: np.random.Generator) -> Scene:
    """Attributes uniform and independent, but shapes and digits two to one, and two digits in three plain."""
    scene = {name: str(rng.choice(values)) for name, values in ATTRIBUTES.items()}
    if rng.random() < 2 / 3:
        return scene | {"form": str(rng.choice(SHAPES))}
    texture = "plain" if rng.random() < 2 / 3 else scene["texture"]
    return scene | {"form": str(rng.choice(DIGITS)), "texture": texture}


def draw(scene: Scene, rng: np.random.Generator, clutter: int = 0) -> np.ndarray:
    """The scene as (SIDE, SIDE, 3) uint8; the generator gives the nuisances: position, tilt, shade, noise.

    clutter: number of stray lines behind the figure.
    """
    centre_y = {"top": 0.34, "middle": 0.5, "bottom": 0.66}[scene["place"]] + rng.uniform(-0.03, 0.03)
    centre_x = rng.uniform(0.42, 0.58)
    radius = SIDE * (rng.uniform(0.21, 0.25) if scene["size"] == "small" else rng.uniform(0.31, 0.36))
    tilt = rng.uniform(-0.2, 0.2)
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    x, y = (columns - SIDE * centre_x) / radius, (rows - SIDE * centre_y) / radius
    u, v = x * cos(tilt) + y * sin(tilt), y * cos(tilt) - x * sin(tilt)
    if scene["form"] in DIGITS:
        mask = _glyph(scene["form"], u, v, str(rng.choice(FONTS)))
    else:
        u = -u if rng.random() < 0.5 else u
        mask = np.clip(0.5 - radius * _outline(scene["form"], u, v), 0, 1)
    figure = shade(scene["colour"], rng) * pattern(scene["texture"], rng)[..., None]
    image = np.broadcast_to(shade(scene["background"], rng), (SIDE, SIDE, 3))
    if clutter:
        image = scribble(image, clutter, rng)
    image = image + mask[..., None] * (figure - image)
    return to_uint8(image + rng.normal(0, 4, image.shape))


def to_uint8(image: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def light(image: np.ndarray, gains: tuple[float, float, float], rng: np.random.Generator, noise: float) -> np.ndarray:
    """The image (H, W, 3) under coloured light, with sensor noise of that standard deviation."""
    image = image * (np.array(gains) * rng.uniform(0.9, 1.05))
    return to_uint8(image + rng.normal(0, noise, image.shape))


def shade(colour: str, rng: np.random.Generator, spread: float = 14) -> np.ndarray:
    """The named colour, (3,), a little lighter or darker and a little off."""
    return np.clip(np.array(PALETTE[colour]) + rng.uniform(-spread, spread) + rng.uniform(-6, 6, 3), 0, 255)


def pattern(texture: str, rng: np.random.Generator) -> np.ndarray:
    """The texture as brightness, (SIDE, SIDE) in [0, 1]: 1 on the figure's own colour, less on stripes or dots."""
    period = rng.integers(9, 12)
    rows, columns = np.mgrid[:SIDE, :SIDE] + rng.integers(0, period, (2, 1, 1))
    y, x = (rows % period) * 2 < period, (columns % period) * 2 < period
    distance = (rows % period - period / 2 + 0.5) ** 2 + (columns % period - period / 2 + 0.5) ** 2
    dark = {
        "plain": np.zeros((SIDE, SIDE), bool),
        "striped": y,
        "barred": x,
        "dotted": distance < (0.3 * period) ** 2,
        "checked": x ^ y,
    }[texture]
    return np.where(dark, rng.uniform(0.3, 0.45), 1.0)


def _outline(shape: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Distance to the outline of a shape of radius 1, negative inside; v points down."""
    a, b, r = abs(u), abs(v), np.sqrt(u * u + v * v)
    if shape == "circle":
        return r - 0.9
    if shape == "square":
        return np.maximum(a, b) - 0.78
    if shape == "triangle":
        return np.maximum(v - 0.65, (1.6 * a - 0.95 * (v + 0.95)) / 1.86)
    if shape == "star":  # inside at least four of a pentagram's five lines
        turns = np.arange(5)[:, None, None] * 1.2566370614
        lines = u * np.sin(turns) + v * np.cos(turns) - 0.37
        return np.sort(lines, axis=0)[-2]
    if shape == "ring":
        return abs(r - 0.7) - 0.24
    if shape == "cross":
        return np.minimum(np.maximum(a - 0.28, b - 0.95), np.maximum(b - 0.28, a - 0.95))
    if shape == "heart":
        lobes = np.sqrt((a - 0.43) ** 2 + (v + 0.35) ** 2) - 0.5
        return np.minimum(lobes, np.maximum(-v - 0.1, (v - 0.95 + 1.18 * a) / 1.55))
    if shape == "crescent":
        return np.maximum(r - 0.95, 0.75 - np.sqrt((u - 0.5) ** 2 + v * v))
    if shape == "diamond":
        return (1.45 * a + b - 1) / 1.76
    if shape == "arrow":
        head = np.maximum(v + 0.05, (0.9 * a - 0.8 * (v + 0.95)) / 1.2)
        return np.minimum(head, np.maximum(a - 0.26, abs(v - 0.4) - 0.55))
    raise ValueError(f"no shape '{shape}'")


@cache
def _stencil(digit: str, font: str) -> np.ndarray:
    """A digit's glyph, cut at its own edges, as (64, w) in [0, 1]."""
    import matplotlib

    path = Path(matplotlib.get_data_path(), "fonts", "ttf", f"{font}.ttf")
    glyph = Image.new("L", (200, 200))
    ImageDraw.Draw(glyph).text((60, 30), str(DIGITS.index(digit)), 255, ImageFont.truetype(str(path), 100))
    glyph = glyph.crop(glyph.getbbox())
    width = max(1, round(64 * glyph.width / glyph.height))
    return np.asarray(glyph.resize((width, 64), Image.Resampling.BILINEAR)) / 255


def _glyph(digit: str, u: np.ndarray, v: np.ndarray, font: str) -> np.ndarray:
    """The glyph's mask at the points (u, v), where v in [-1, 1] is its height; bilinear."""
    stencil = np.pad(_stencil(digit, font), 1)
    height, width = stencil.shape
    x, y = np.clip(u * 33 + width / 2, 0, width - 1.001), np.clip(v * 33 + height / 2, 0, height - 1.001)
    i, j = y.astype(int), x.astype(int)
    y, x = y - i, x - j
    above = stencil[i, j] * (1 - x) + stencil[i, j + 1] * x
    below = stencil[i + 1, j] * (1 - x) + stencil[i + 1, j + 1] * x
    return above * (1 - y) + below * y


def scribble(image: np.ndarray, lines: int, rng: np.random.Generator) -> np.ndarray:
    """Stray lines of the backgrounds' colours across the image."""
    canvas = Image.fromarray(to_uint8(image))
    pen = ImageDraw.Draw(canvas)
    for _ in range(lines):
        ends = [int(value) for value in rng.integers(0, SIDE, 4)]
        colour = tuple(int(value) for value in shade(str(rng.choice(ATTRIBUTES["background"])), rng))
        pen.line(ends, fill=colour, width=int(rng.integers(2, 5)))
    return np.asarray(canvas, float)
