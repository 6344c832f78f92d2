"""The contract between a method and training: everything a learner may define, with what holds where it does not."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from papertables.backbones.prompts import ImagePrompts, TextPrompts


class BaseLearner(nn.Module):
    """What is trained of one run, beside frozen towers that it shares with other runs.

    An image goes ``pixels`` → image tower → ``classify``. Sizes: B images, C classes, D the width of embeddings, P the
    side of the tower's input, s the side of the images that the method is given.

    A method makes these two modules:
        pixels: the visual prompt, images (B, 3, s, s) in [0, 1] to the tower's normalised input (B, 3, P, P). What it
            adds to every image is its parameter ``program`` (3, P, P), if it has one.
        logits: the head, features (B, D) to (B, C). A learner of prompts overrides ``classify`` instead.

    and overrides what does not hold of it:
        reads_images: whether its prompts are made anew for every image.
        leaves_images: whether the frozen tower's features of plain images are all that it needs of them.
    """

    pixels: nn.Module
    logits: nn.Module
    reads_images: bool = False
    leaves_images: bool = False

    def features(self, pixels: Tensor) -> Tensor | None:
        """Features (B, D) of a tower of its own for what ``pixels`` gives (B, 3, P, P); None: the shared tower's."""
        return None

    def image_prompts(self, count: int) -> ImagePrompts | None:
        """Tokens beside the patches of each of ``count`` images; None: images go through the tower without."""
        return None

    def prompts(self, names: tuple[str, ...], features: Tensor | None = None) -> TextPrompts | None:
        """Prompts of the C classes of these names; where it ``reads_images``, B · C of them, image by image, for the
        features (B, D). None: its classes are no learned prompts."""
        return None

    def classify(self, features: Tensor, texts: Tensor | None = None, names: tuple[str, ...] = ()) -> Tensor:
        """Logits (B, C) of features (B, D). texts: the text tower's features of ``prompts``, in their order; names: of
        the classes they are for."""
        return self.logits(features)

    def guide(self, pixels: Tensor, encode_image: Callable[[Tensor], Tensor]) -> Tensor | None:
        """What its loss compares with, of what ``pixels`` gives (B, 3, P, P), without a gradient: of the frozen image
        tower ``encode_image`` or of a teacher. None: its loss compares with labels alone."""
        return None

    def epoch_weight(self, epoch: int, epochs: int) -> float | None:
        """The share of what is learned after an epoch (from 1) in what the learner is in the end, where that is a mean
        over epochs; None: it is what was learned after the last."""
        return None

    def loss(
        self,
        features: Tensor,
        texts: Tensor | None,
        names: tuple[str, ...],
        labels: Tensor,
        guide: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Mean loss (), of labels (B,) and of what ``guide`` gave, and the logits (B, C) of ``classify``: the
        cross-entropy."""
        logits = self.classify(features, texts, names)
        return F.cross_entropy(logits, labels), logits
