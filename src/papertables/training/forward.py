"""Forward passes of several learners through shared frozen towers, in few calls."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from papertables.backbones.prompts import ImagePrompts, TextPrompts, join_images, join_texts
from papertables.methods.learner import BaseLearner
from papertables.methods.pixels import Plain

A_CALL = 4e6  # tokens · width² that take a CPU about as long as one more call
Prompts = TypeVar("Prompts", ImagePrompts, TextPrompts)


class Towers(Protocol):
    """Frozen towers; a classifier has the first function alone."""

    def encode_image(self, pixels: Tensor) -> Tensor: ...

    def encode_prompted(self, pixels: Tensor, prompts: ImagePrompts) -> Tensor: ...

    def encode_prompts(self, prompts: TextPrompts) -> Tensor: ...


def image_features(towers: Towers, learners: Sequence[BaseLearner], images: Sequence[Tensor]) -> list[Tensor]:
    """Features (B, D) of each learner for its images (B, 3, s, s). A learner that adapted the tower uses its own, those
    with tokens beside patches go together where they agree in their number, all others in one call, in which what
    several learners leave as it is goes once."""
    found: list[Tensor | None] = [None] * len(learners)
    plain, prompted = [], {}
    pixels = [make(own) for make, own in zip(_makers(learners), images, strict=True)]
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
        different = list({id(pixels[i]): pixels[i] for i in plain}.values())
        parts = towers.encode_image(torch.cat(different)).split([len(each) for each in different])
        of = {id(each): part for each, part in zip(different, parts, strict=True)}
        for i in plain:
            found[i] = of[id(pixels[i])]
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
    for rows in _text_calls(prompts):
        parts = towers.encode_prompts(join_texts([prompts[i] for i in rows]))
        for i, part in zip(rows, parts.split([len(prompts[i]) for i in rows]), strict=True):
            found[i] = part
    return found


@torch.no_grad()
def guides(towers: Towers, learners: Sequence[BaseLearner], images: Sequence[Tensor]) -> list[Tensor | None]:
    """What each learner's loss compares with, of its images (B, 3, s, s); None of one that needs labels alone, whose
    images are not made a second time."""
    encode = Once(towers.encode_image)
    return [
        None if type(learner).guide is BaseLearner.guide else learner.guide(make(own), encode)
        for learner, make, own in zip(learners, _makers(learners), images, strict=True)
    ]


class Once:
    """A function of tensors that gives the same tensor for the same tensor."""

    def __init__(self, work: Callable[[Tensor], Tensor]):
        self.work, self.made = work, {}

    def __call__(self, given: Tensor) -> Tensor:
        if id(given) not in self.made:
            self.made[id(given)] = given, self.work(given)  # what is given is kept, so that no other gets its id
        return self.made[id(given)][1]


def _makers(learners: Sequence[BaseLearner]) -> list[Callable[[Tensor], Tensor]]:
    """What makes the pixels of each learner: one for all that leave images as they are, which makes the same once."""
    leaves = [isinstance(learner.pixels, Plain) for learner in learners]
    plain = Once(learners[leaves.index(True)].pixels) if any(leaves) else None
    return [plain if left else learner.pixels for learner, left in zip(learners, leaves, strict=True)]


def _text_calls(prompts: dict[int, TextPrompts]) -> Iterator[list[int]]:
    """Which go through the tower together: of those that share more tokens than others only those for which this saves
    less than a call."""
    for rows in _by_shape(prompts):
        call = []
        for i in sorted(rows, key=lambda row: prompts[row].shared):
            more = prompts[i].shared - prompts[call[0]].shared if call else 0
            if len(prompts[i]) * more * prompts[i].embeddings.shape[2] ** 2 > A_CALL:
                yield call
                call = []
            call.append(i)
        yield call


def _by_shape(prompts: dict[int, Prompts]) -> list[list[int]]:
    groups = defaultdict(list)
    for i, each in prompts.items():
        groups[each.shape].append(i)
    return list(groups.values())
