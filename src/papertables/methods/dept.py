"""DePT (CVPR 2024) on CoOp or CoCoOp, and with attributes DePT+ATPrompt: a second head keeps base knowledge apart."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from papertables.backbones.prompts import TextPrompts
from papertables.methods.inputs import MethodInputs
from papertables.methods.learner import BaseLearner
from papertables.methods.pixels import Plain
from papertables.methods.prompt_names import Anchors, ClassPosition, Probe, PromptKind
from papertables.methods.prompting import MetaNetwork, Prompting, Similarity, by_image
from papertables.methods.seeding import seeded


class Film(nn.Module):
    """A scale and a bias for every channel of a feature of any length."""

    def __init__(self, features: int):
        super().__init__()
        self.scale, self.bias = nn.Parameter(torch.ones(features)), nn.Parameter(torch.zeros(features))

    def forward(self, features: Tensor) -> Tensor:
        return self.scale * features + self.bias


class Learner(BaseLearner):
    """weight: of the probe on channel-wise transformed features, in the loss and, for the trained classes, in the test
    (its equations 6 to 8); other classes are judged by the prompt alone. probe: a ``linear`` layer that classifies
    transformed image and text features, or the ``similarity`` of both.
    """

    leaves_images = True

    def __init__(
        self,
        given: MethodInputs,
        /,
        prompt: PromptKind,
        context: int,
        weight: float,
        probe: Probe = "linear",
        init: str = "",
        class_position: ClassPosition = "end",
        attributes: Sequence[str] = (),
        anchors: Anchors = "interval",
        attribute_context: Sequence[int] | None = None,
    ):
        super().__init__()
        self.pixels = Plain(given)
        self.prompting = Prompting(given, context, attributes, anchors, attribute_context, class_position, init)
        self.shift = MetaNetwork(given) if prompt == "cocoop" else None
        self.reads_images = prompt == "cocoop"
        self.similarity = Similarity(given)
        self.image_film, self.text_film = Film(given.embedding_width), Film(given.embedding_width)
        with seeded(given.seed + 1):
            self.probe = nn.Linear(given.embedding_width, len(given.class_names)) if probe == "linear" else None
        self.weight, self.trained = weight, given.class_names

    def prompts(self, names: tuple[str, ...], features: Tensor | None = None) -> TextPrompts:
        """Prompts of C classes, or B · C of them, image by image, on CoCoOp."""
        return self.prompting(names) if self.shift is None else self.prompting(names, self.shift(features))

    def classify(self, features: Tensor, texts: Tensor, names: tuple[str, ...] = ()) -> Tensor:
        """(B, D) and (C, D), or (B · C, D), to (B, C)."""
        texts = self._texts(features, texts)
        similar = self.similarity(features, texts)
        if names != self.trained:
            return similar
        return (1 - self.weight) * similar + self.weight * self.probed(features, texts)

    def loss(
        self, features: Tensor, texts: Tensor, names: tuple[str, ...], labels: Tensor, guide: None = None
    ) -> tuple[Tensor, Tensor]:
        """() and the logits (B, C) of a test, of the trained classes."""
        texts = self._texts(features, texts)
        similar, probed = self.similarity(features, texts), self.probed(features, texts)
        seen, targets = self.probed_in_training(features, texts, labels, probed)
        loss = (1 - self.weight) * F.cross_entropy(similar, labels) + self.weight * F.cross_entropy(seen, targets)
        return loss, (1 - self.weight) * similar + self.weight * probed

    def probed(self, features: Tensor, texts: Tensor) -> Tensor:
        """(B, C), what the probe says of images."""
        if self.probe is None:
            return self.similarity(self.image_film(features), self.text_film(texts))
        return self.probe(self.image_film(features))

    def probed_in_training(
        self, features: Tensor, texts: Tensor, labels: Tensor, probed: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What the probe is trained on, and labels: a linear one also on the text feature of every label, first."""
        if self.probe is None:
            return probed, labels
        images = torch.arange(len(labels), device=labels.device)
        own = texts[labels] if texts.ndim == 2 else texts[images, labels]  # (B, D)
        return torch.cat([self.probe(self.text_film(own)), probed]), torch.cat([labels, labels])

    def _texts(self, features: Tensor, texts: Tensor) -> Tensor:
        return by_image(texts, len(features)) if self.reads_images else texts
