"""The target sets: scenes as pretraining never saw them, and scikit-learn's handwritten digits.

Each synthetic set draws its classes under a condition of its own (light, noise, clutter, other proportions) that
shifts all its images in one direction. Such a shift moves zero-shot predictions towards some classes, which is what
reprogramming can mend; the sets were designed so. A class of ``TARGETS`` is one look, and sentences describe it. A
class of ``MIXTURES`` unites several pairs of colour and shape, which are the tiny classifiers' source classes.
``SOURCES`` are the set on which prompts are learned that others then test, and shifted versions of it for testing.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from papertables.data.miniworld import sources
from papertables.data.miniworld.draw import (
    DIGITS,
    SHAPES,
    SIDE,
    Scene,
    draw,
    light,
    pattern,
    sample_scene,
    shade,
    to_uint8,
)

COUNTS = {"train": 32, "val": 8, "test": 22}  # images per class
TEST_ONLY = {"train": 2, "val": 0, "test": 22}  # a split may not lack a train part; no protocol learns from this one
Choice = dict[str, tuple[str, ...]]  # attribute -> values


@dataclass(frozen=True)
class TargetSet:
    """task: the word for what the classes are, as in prompts to an LLM. classes: name -> what all images share, or, in
    a mixture, among which values each image has its own."""

    task: str
    classes: dict[str, Scene] | dict[str, Choice]
    sample: Callable[..., list[np.ndarray]]  # (class, n, generator) -> n images (SIDE, SIDE, 3) of it
    counts: dict[str, int] = field(default_factory=COUNTS.copy)  # images per class of each part


def _digits(cls: Scene, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Handwritten digits of 8 x 8 pixels, enlarged and coloured."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    chosen = rng.choice(np.flatnonzero(digits.target == DIGITS.index(cls["form"])), count, replace=False)
    images = []
    for ink in digits.images[chosen]:
        inner = Image.fromarray(to_uint8(ink * (255 / 16))).resize((40, 40), Image.Resampling.BICUBIC)
        mask = np.pad(np.asarray(inner) / 255, (SIDE - 40) // 2)[..., None]
        scene = sample_scene(rng)
        paper, pen = shade(scene["background"], rng), shade(scene["colour"], rng)
        images.append(light(paper + mask * (pen - paper), (1, 1, 1), rng, 4))
    return images


def _signs(cls: Scene, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Small signs at dusk: blue light, noise, stray lines behind."""
    scenes = [sample_scene(rng) | {"texture": "plain", "size": "small"} | cls for _ in range(count)]
    return [light(draw(scene, rng, clutter=4), (0.55, 0.65, 1.1), rng, 14) for scene in scenes]


def _cloths(cls: Scene, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Cloth that fills the image, under a warm lamp."""
    swatches = [shade(cls["colour"], rng) * pattern(cls["texture"], rng)[..., None] for _ in range(count)]
    return [light(swatch, (1.05, 0.8, 0.5), rng, 10) for swatch in swatches]


def _moths(cls: Scene, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Small figures in green haze, out of focus."""
    images = []
    for _ in range(count):
        image = draw(sample_scene(rng) | {"size": "small", "background": "brown"} | cls, rng, clutter=2)
        image = np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(0.8)), float)
        images.append(light(0.7 * image + 0.3 * np.array((150, 200, 140)), (1, 1, 1), rng, 6))
    return images


def _families(cls: Choice, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Figures in the evening: dim light, noise, stray lines behind."""
    scenes = [sample_scene(rng) | _choose(cls, rng) for _ in range(count)]
    return [light(draw(scene, rng, clutter=3), (0.8, 0.7, 0.75), rng, 10) for scene in scenes]


def _kinds(cls: Choice, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Large figures in blue haze, out of focus."""
    images = []
    for _ in range(count):
        image = Image.fromarray(draw(sample_scene(rng) | {"size": "large"} | _choose(cls, rng), rng))
        image = np.asarray(image.filter(ImageFilter.GaussianBlur(1)), float)
        images.append(light(0.65 * image + 0.35 * np.array((150, 180, 215)), (1, 1, 1), rng, 6))
    return images


def _choose(cls: Choice, rng: np.random.Generator) -> Scene:
    return {name: str(rng.choice(values)) for name, values in cls.items()}


def _named(names: str, *attributes: str) -> dict[str, Scene]:
    """Classes named by their values of these attributes: "red_triangle", "red_striped_cloth"."""
    return {name: dict(zip(attributes, name.split("_"), strict=False)) for name in names.split()}


_MOTHS = {
    "red_admiral": "red striped heart", "orange_tip": "orange plain crescent", "green_hairstreak": "green barred heart",
    "purple_emperor": "purple plain heart", "blue_morpho": "blue plain heart", "cyan_skipper": "cyan dotted heart",
    "brimstone": "yellow plain crescent", "pink_underwing": "pink striped crescent",
    "dotted_fritillary": "orange dotted heart", "checked_swallowtail": "yellow checked heart",
    "crescent_noctuid": "purple dotted crescent", "mother_shipton": "pink checked heart",
}  # fmt: skip
TARGETS: dict[str, TargetSet] = {
    "mini_digits": TargetSet("digit", {digit: {"form": digit} for digit in DIGITS}, _digits),
    "mini_signs": TargetSet(
        "road sign",
        _named(
            "red_triangle red_circle red_cross orange_triangle orange_diamond yellow_diamond yellow_star green_circle "
            "green_arrow blue_arrow blue_circle purple_star",
            "colour",
            "form",
        ),
        _signs,
    ),
    "mini_cloths": TargetSet(
        "cloth",
        _named(
            "red_striped_cloth red_checked_cloth orange_plain_cloth orange_dotted_cloth yellow_barred_cloth "
            "yellow_plain_cloth green_checked_cloth green_dotted_cloth blue_striped_cloth blue_dotted_cloth "
            "purple_barred_cloth pink_checked_cloth",
            "colour",
            "texture",
        ),
        _cloths,
    ),
    "mini_moths": TargetSet(
        "moth",
        {name: dict(zip(("colour", "texture", "form"), look.split(), strict=True)) for name, look in _MOTHS.items()},
        _moths,
    ),
}
_COLOURS = {"warm": ("red", "orange", "yellow"), "cool": ("green", "cyan", "blue"), "sweet": ("purple", "pink")}
_FORMS = {
    "round": ("circle", "ring"), "boxy": ("square", "diamond"), "spiky": ("star", "cross"),
    "pointing": ("triangle", "arrow"), "curved": ("heart", "crescent"),
}  # fmt: skip
MIXTURES: dict[str, TargetSet] = {
    "mini_families": TargetSet(
        "figure",
        {
            f"{hue}_{kind}_figure": {"colour": colours, "form": forms}
            for hue, colours in _COLOURS.items()
            for kind, forms in _FORMS.items()
        },
        _families,
    ),
    "mini_kinds": TargetSet("shape", {shape: {"form": (shape,)} for shape in SHAPES}, _kinds),
}
SOURCES: dict[str, TargetSet] = {
    "mini_source": TargetSet("figure", sources.CLASSES, sources.plain),
    "mini_source_redrawn": TargetSet("figure", sources.CLASSES, sources.plain, TEST_ONLY),
    "mini_source_sketch": TargetSet("figure", sources.CLASSES, sources.sketch, TEST_ONLY),
    "mini_source_cluttered": TargetSet("figure", sources.subset(0, 2, 3, 5), sources.cluttered, TEST_ONLY),
    "mini_source_restyled": TargetSet("figure", sources.subset(1, 3, 4, 6, 7), sources.restyled, TEST_ONLY),
}
SETS = TARGETS | MIXTURES | SOURCES  # a set's place is part of its seed: new ones come last


def draw_target(name: str, folder: Path, seed: int) -> None:
    """Writes ``folder/images/<class>/<nnn>.png`` and ``folder/split.json`` in the format of CoOp's split files.

    Raises KeyError for an unknown name.
    """
    target = SETS[name]
    split: dict[str, list] = {part: [] for part in target.counts}
    parts = [part for part, count in target.counts.items() for _ in range(count)]
    for label, (cls, scene) in enumerate(target.classes.items()):
        rng = np.random.default_rng([seed, list(SETS).index(name), label])
        (folder / "images" / cls).mkdir(parents=True, exist_ok=True)
        for index, (part, image) in enumerate(zip(parts, target.sample(scene, len(parts), rng), strict=True)):
            path = f"images/{cls}/{index:03d}.png"
            Image.fromarray(image).save(folder / path)
            split[part].append([path, label, cls])
    (folder / "split.json").write_text(json.dumps(split) + "\n", "utf-8")
