"""Forward passes of several learners through shared frozen towers, in as few calls as their shapes allow."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from papertables.backbones.prompts import ImagePrompts, TextPrompts, join_images, join_texts
from papertables.methods.learner import BaseLearner

Prompts = TypeVar("Prompts", ImagePrompts, TextPrompts)


class Towers(Protocol):
    """Frozen towers; a classifier has the first function alone."""

    def encode_image(self, pixels: Tensor) -> Tensor: ...

    def encode_prompted(self, pixels: Tensor, prompts: ImagePrompts) -> Tensor: ...

    def encode_prompts(self, prompts: TextPrompts) -> Tensor: ...


def image_features(towers: Towers, learners: Sequence[BaseLearner], images: Sequence[Tensor]) -> list[Tensor]:
    """Features (B, D) of each learner for its images (B, 3, s, s). A learner that adapted the tower uses its own, those
    with tokens beside patches go together where they agree in their number, all others in one call."""
    found: list[Tensor | None] = [None] * len(learners)
    plain, prompted = [], {}
    pixels = [learner.pixels(batch) for learner, batch in zip(learners, images, strict=True)]
    for i, learner in enumerate(learners):
        found[i] = learner.features(pixels[i])
        if found[i] is not None:
            continue
        tokens = learner.image_prompts(len(pixels[i]))
        if tokens is None:
            plain.append(i)
        else:
            prompted[i] = tokens
    if plain:
        sizes = [len(pixels[i]) for i in plain]
        parts = towers.encode_image(torch.cat([pixels[i] for i in plain])).split(sizes)
        for i, part in zip(plain, parts, strict=True):
            found[i] = part
    for rows in _by_shape(prompted):
        joined = join_images([prompted[i] for i in rows])
        features = towers.encode_prompted(torch.cat([pixels[i] for i in rows]), joined)
        for i, part in zip(rows, features.split([len(pixels[i]) for i in rows]), strict=True):
            found[i] = part
    return found


def text_features(
    towers: Towers,
    learners: Sequence[BaseLearner],
    names: Sequence[tuple[str, ...]],
    features: Sequence[Tensor | None],
) -> list[Tensor | None]:
    """The features of each learner's prompts for the classes of these names: (C, D), or image by image (B · C, D) of a
    learner that reads the image features (B, D); None of one without prompts."""
    found: list[Tensor | None] = [None] * len(learners)
    made = (
        learner.prompts(own, seen if learner.reads_images else None)
        for learner, own, seen in zip(learners, names, features, strict=True)
    )
    prompts = {i: each for i, each in enumerate(made) if each is not None}
    for rows in _by_shape(prompts):
        parts = towers.encode_prompts(join_texts([prompts[i] for i in rows]))
        for i, part in zip(rows, parts.split([len(prompts[i]) for i in rows]), strict=True):
            found[i] = part
    return found


@torch.no_grad()
def guides(towers: Towers, learners: Sequence[BaseLearner], images: Sequence[Tensor]) -> list[Tensor | None]:
    """What each learner's loss compares with, of its images (B, 3, s, s); None of one that needs labels alone, whose
    images are not made a second time."""
    return [
        None if type(learner).guide is BaseLearner.guide else learner.guide(learner.pixels(batch), towers.encode_image)
        for learner, batch in zip(learners, images, strict=True)
    ]


def _by_shape(prompts: dict[int, Prompts]) -> list[list[int]]:
    groups = defaultdict(list)
    for i, each in prompts.items():
        groups[each.shape].append(i)
    return list(groups.values())
