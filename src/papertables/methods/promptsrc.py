"""PromptSRC (ICCV 2023): prompts of both towers that stay near the frozen model; with attributes joined to ATPrompt."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import exp

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from papertables.backbones.prompts import ImagePrompts, TextPrompts
from papertables.methods.image_tokens import ImageTokens
from papertables.methods.inputs import MethodInputs
from papertables.methods.learner import BaseLearner
from papertables.methods.pixels import Plain
from papertables.methods.prompt_names import Anchors
from papertables.methods.prompting import CONTEXT_STD, Laid, Prompting, Similarity
from papertables.methods.seeding import seeded


class Learner(BaseLearner):
    """Independent prompts: neither tower's are made of the other's. From the second block to block ``depth`` new
    vectors replace the class context, and from the second to ``image_depth`` the tokens of an image; contexts of
    attributes run through all blocks. More than four class tokens start at random, as in the released code.

    text_weight, image_weight, logit_weight: of the distances to the frozen model (its equations 3 to 6). mean, std: in
    epochs, of the normal density by which what each epoch has learned counts in the end (its section 3.2.2).
    """

    def __init__(
        self,
        given: MethodInputs,
        /,
        context: int,
        image_context: int,
        depth: int,
        image_depth: int,
        text_weight: float,
        image_weight: float,
        logit_weight: float,
        mean: float,
        std: float,
        init: str = "",
        attributes: Sequence[str] = (),
        anchors: Anchors = "interval",
        attribute_context: Sequence[int] | None = None,
    ):
        super().__init__()
        self.pixels, text = Plain(given), given.text
        start = init if context <= len(text.encode(init)) else ""
        self.prompting = Prompting(given, context, attributes, anchors, attribute_context, init=start, keep_length=True)
        self.similarity = Similarity(given)
        self.assumed, self.blocks = given.deep_start == "assumed", text.blocks
        self.weights, self.density = (text_weight, image_weight, logit_weight), (mean, std)
        self.register_buffer("ensemble", given.ensemble, persistent=False)
        with seeded(given.seed + 1):  # other numbers than the context's
            self.deep = nn.ParameterList(CONTEXT_STD * torch.randn(context, text.width) for _ in range(depth - 1))
            self.image_tokens = ImageTokens(image_context, text.image_width, image_depth, text.image_blocks)

    def prompts(self, names: tuple[str, ...], features: Tensor | None = None) -> TextPrompts:
        """Prompts of C classes."""
        plain, used = self.prompting(names), self.deep[: self.blocks - 1]
        if not len(used):
            return plain
        at, shared, length = self.prompting.deep_places(names, self._at)
        deep = tuple(own.expand(len(at), -1, -1) for own in used)
        return replace(plain, lengths=(length,), deep=deep, at=at, shared=shared)

    def image_prompts(self, count: int) -> ImagePrompts:
        """The same for each of ``count`` images."""
        return self.image_tokens(count)

    def classify(self, features: Tensor, texts: Tensor, names: tuple[str, ...] = ()) -> Tensor:
        """(B, D) and (C, D) to (B, C)."""
        return self.similarity(features, texts)

    def guide(self, pixels: Tensor, encode_image: Callable[[Tensor], Tensor]) -> Tensor:
        """The frozen tower's features (B, D) of the same images."""
        return encode_image(pixels)

    def loss(
        self, features: Tensor, texts: Tensor, names: tuple[str, ...], labels: Tensor, guide: Tensor
    ) -> tuple[Tensor, Tensor]:
        """() and the logits (B, C)."""
        logits = self.classify(features, texts)
        weighted = zip(self.weights, self.distances(features, texts, logits, guide), strict=True)
        return F.cross_entropy(logits, labels) + sum(weight * distance for weight, distance in weighted), logits

    def distances(self, features: Tensor, texts: Tensor, logits: Tensor, guide: Tensor) -> tuple[Tensor, ...]:
        """From the frozen model: mean absolute differences of unit text and image features, and the divergence of the
        logits, its mean over images and classes."""
        frozen = self.similarity(guide, self.ensemble)
        return (
            F.l1_loss(F.normalize(texts, dim=-1), F.normalize(self.ensemble, dim=-1)),
            F.l1_loss(F.normalize(features, dim=-1), F.normalize(guide, dim=-1)),
            F.kl_div(logits.log_softmax(-1), frozen.log_softmax(-1), reduction="none", log_target=True).mean(),
        )

    def epoch_weight(self, epoch: int, epochs: int) -> float:
        mean, std = self.density
        exponents = [-(((each - mean) / std) ** 2) / 2 for each in range(1, epochs + 1)]
        heights = [exp(each - max(exponents)) for each in exponents]  # the highest is 1, however far off the mean is
        return heights[epoch - 1] / sum(heights)

    def _at(self, laid: Laid) -> Tensor:
        """Where tokens are replaced, (C, n)."""
        return self.prompting.class_places(laid, self.assumed)
