"""Forward passes of several learners through shared frozen towers, in as few calls as their shapes allow."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn

from papertables.backbones.prompts import ImagePrompts, TextPrompts, join_images, join_texts

Prompts = TypeVar("Prompts", ImagePrompts, TextPrompts)


class Towers(Protocol):
    """Frozen towers; a classifier has the first function alone."""

    def encode_image(self, pixels: Tensor) -> Tensor: ...

    def encode_prompted(self, pixels: Tensor, prompts: ImagePrompts) -> Tensor: ...

    def encode_prompts(self, prompts: TextPrompts) -> Tensor: ...


def learns_prompts(learner: nn.Module) -> bool:
    return hasattr(learner, "prompts")


def leaves_images(learner: nn.Module) -> bool:
    """Whether it needs nothing of an image but the features that the frozen tower gives it."""
    return learns_prompts(learner) and not hasattr(learner, "image_prompts")


def image_features(towers: Towers, learners: Sequence[nn.Module], images: Sequence[Tensor]) -> list[Tensor]:
    """Features (B, D) of each learner for its images (B, 3, s, s). A learner that adapted the tower uses its own, those
    with tokens beside patches go together where they agree in their number, all others in one call."""
    found: list[Tensor | None] = [None] * len(learners)
    plain, prompted = [], {}
    pixels = [learner.pixels(batch) for learner, batch in zip(learners, images, strict=True)]
    for i, learner in enumerate(learners):
        if hasattr(learner, "features"):
            found[i] = learner.features(pixels[i])
        elif hasattr(learner, "image_prompts"):
            prompted[i] = learner.image_prompts(len(pixels[i]))
        else:
            plain.append(i)
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
    learners: Sequence[nn.Module],
    names: Sequence[tuple[str, ...]],
    features: Sequence[Tensor | None],
) -> list[Tensor | None]:
    """Of the prompts of each learner for the classes of these names: (C, D), or image by image (B · C, D) of a learner
    that reads the image features (B, D); None of one without prompts."""
    found: list[Tensor | None] = [None] * len(learners)
    prompts = {
        i: learner.prompts(names[i], features[i] if learner.reads_images else None)
        for i, learner in enumerate(learners)
        if learns_prompts(learner)
    }
    for rows in _by_shape(prompts):
        parts = towers.encode_prompts(join_texts([prompts[i] for i in rows]))
        for i, part in zip(rows, parts.split([len(prompts[i]) for i in rows]), strict=True):
            found[i] = part
    return found


def _by_shape(prompts: dict[int, Prompts]) -> list[list[int]]:
    groups = defaultdict(list)
    for i, each in prompts.items():
        groups[each.shape].append(i)
    return list(groups.values())


def logits_of(learner: nn.Module, features: Tensor, texts: Tensor | None, names: tuple[str, ...]) -> Tensor:
    """(B, C)."""
    return learner.logits(features) if texts is None else learner.logits(features, texts, names)
