"""How many images go through a tower in one call: as many as memory holds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

from papertables.backbones.calls import BACKWARD
from papertables.methods.learner import BaseLearner
from papertables.training.forward import Towers, guides, image_features, text_features

LOOK = 0.3  # peak of a pass without a gradient by what the forward pass of a step keeps


@dataclass
class Room:
    """The most images that a call has memory for; None: as many as there are."""

    images: int | None = None

    def of(self, count: int) -> int:
        return min(count, self.images or count)

    def halve(self, count: int) -> bool:
        """After a call of at most ``count`` images found no room: half as many. False where that was one image."""
        least = self.of(count) == 1
        self.images = max(1, self.of(count) // 2)
        return not least


def kept_bytes(forward: Callable[[], object], known: Iterable[Tensor] = ()) -> int:
    """The bytes of all storages that a forward pass keeps for the gradient, but for those of tensors that are ``known``
    to be there anyway. They are counted as autograd keeps them, so that fake tensors do as well as real ones."""
    kept: dict[StorageWeakRef, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[StorageWeakRef(storage)] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        made = forward()  # holds the graph, so that no storage is freed and its address taken by another
    there = {StorageWeakRef(each.untyped_storage()) for each in known}
    del made
    return sum(size for storage, size in kept.items() if storage not in there)


def step_bytes(
    towers: Towers,
    learner: BaseLearner,
    names: tuple[str, ...],
    images: Tensor,
    labels: Tensor,
    known: Iterable[Tensor] = (),
) -> int:
    """What the forward pass of one training step of a learner keeps, for images (B, 3, s, s) and labels (B,)."""

    def forward() -> Tensor:
        (features,) = image_features(towers, [learner], [images])
        (texts,) = text_features(towers, [learner], [names], [features])
        return learner.loss(features, texts, names, labels, *guides(towers, [learner], [images]))

    return kept_bytes(forward, known)


def images_that_fit(free: int, fixed: int, each: int) -> int:
    """How many images a step can take in one call, at least one. free: bytes; fixed, each: what a forward pass keeps
    whatever is in a batch, and of each image."""
    return max(1, int((free / BACKWARD - fixed) // max(each, 1)))


def pieces(count: int, most: int) -> list[slice]:
    """``count`` images in as few calls of at most ``most`` as there can be, of nearly the same size."""
    calls = -(-count // most)
    size = -(-count // calls)
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def batch_normed(module: nn.Module) -> bool:
    """Whether a module looks at a batch as a whole while it trains."""
    return isinstance(module, nn.modules.batchnorm._BatchNorm)
