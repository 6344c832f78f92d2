"""The source set, on which prompts are learned that other sets then test, and the styles of its shifted versions.

A class is a pair of colour and form, in an order in which every run of eight has all colours and every run of three all
forms. The versions stand in the places that ImageNet-V2, -Sketch, -A and -R have beside ImageNet.
"""

import numpy as np
from PIL import Image, ImageFilter

from papertables.data.miniworld.draw import (
    ATTRIBUTES,
    SHAPES,
    SIDE,
    Scene,
    draw,
    light,
    pattern,
    sample_scene,
    scribble,
    shade,
    to_uint8,
)

FORMS = ("square", "heart", "ring")
CLASSES: dict[str, Scene] = {
    f"{colour}_{form}": {"colour": colour, "form": form}
    for colour, form in zip(ATTRIBUTES["colour"] * len(FORMS), FORMS * len(ATTRIBUTES["colour"]), strict=True)
}
STYLES = ("mosaic", "poster", "pastel", "weave")


def subset(*places: int) -> dict[str, Scene]:
    """The classes at these places of every eight, so that every colour that stands there comes with all forms."""
    return {name: scene for index, (name, scene) in enumerate(CLASSES.items()) if index % 8 in places}


def plain(cls: Scene, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Figures of any texture, size and place under greenish lamplight, out of focus, with stray lines behind."""
    images = []
    for _ in range(count):
        image = draw(sample_scene(rng) | cls, rng, clutter=3)
        images.append(light(_blurred(image, 0.7), (0.62, 0.72, 0.5), rng, 12))
    return images


def sketch(cls: Scene, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Outlines on white paper, with a soft pencil of the figure's colour, and faint hatching inside."""
    images = []
    for _ in range(count):
        mask = _mask(cls, rng)
        down, across = np.gradient(np.asarray(_blurred(to_uint8(255 * mask), 0.6)) / 255)
        outline = np.clip(2.4 * np.sqrt(down * down + across * across), 0, 1)
        hatching = mask * (pattern("striped", rng) < 1)
        ink = np.clip(outline * rng.uniform(0.6, 1, mask.shape) + 0.35 * hatching, 0, 1)[..., None]
        pencil, paper = 0.6 * shade(cls["colour"], rng) + 0.4 * shade("gray", rng), shade("white", rng, spread=6)
        images.append(to_uint8(paper + ink * (pencil - paper) + rng.normal(0, 5, (SIDE, SIDE, 3))))
    return images


def cluttered(cls: Scene, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Small figures among smaller ones of other colours and forms, and lines across all of them."""
    images = []
    for _ in range(count):
        image = draw(sample_scene(rng) | {"size": "small"} | cls, rng, clutter=3).astype(float)
        for corner in rng.permutation(4)[:2]:
            colour = str(rng.choice([other for other in ATTRIBUTES["colour"] if other != cls["colour"]]))
            form = str(rng.choice([other for other in SHAPES if other != cls["form"]]))
            stray = np.zeros((SIDE, SIDE))
            rows, columns = (slice(0, 20) if far else slice(SIDE - 20, SIDE) for far in divmod(int(corner), 2))
            stray[rows, columns] = _resized(_mask({"form": form}, rng), 20)
            image += stray[..., None] * (shade(colour, rng) - image)
        images.append(light(scribble(image, 2, rng), (0.62, 0.72, 0.5), rng, 12))
    return images


def restyled(cls: Scene, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """The figures in one of four other styles: a mosaic, a poster of 27 flat colours, pastels, woven cloth."""
    images = []
    for _ in range(count):
        image = draw(sample_scene(rng) | cls, rng)
        style = str(rng.choice(STYLES))
        if style == "mosaic":
            small = Image.fromarray(image).resize((16, 16), Image.Resampling.BOX)
            image = np.asarray(small.resize((SIDE, SIDE), Image.Resampling.NEAREST))
        elif style == "poster":
            image = 127 * np.rint(_blurred(image, 0.8) / 127)
        elif style == "pastel":
            image = 0.45 * _blurred(image, 1.5) + 0.55 * shade("white", rng)
        else:
            image = image * np.minimum(pattern("striped", rng), pattern("barred", rng))[..., None]
        images.append(light(image, (1, 1, 1), rng, 6))
    return images


def _mask(cls: Scene, rng: np.random.Generator) -> np.ndarray:
    """The figure without colour or ground, (SIDE, SIDE) in [0, 1]."""
    chalk = {"colour": "white", "background": "black", "texture": "plain"}
    image = draw(sample_scene(rng) | cls | chalk, rng)[..., 0].astype(float)
    return np.clip((image - 40) / 170, 0, 1)


def _blurred(image: np.ndarray, radius: float) -> np.ndarray:
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius)), float)


def _resized(mask: np.ndarray, side: int) -> np.ndarray:
    """(SIDE, SIDE) in [0, 1] -> (side, side)."""
    return np.asarray(Image.fromarray(to_uint8(255 * mask)).resize((side, side), Image.Resampling.BOX)) / 255
