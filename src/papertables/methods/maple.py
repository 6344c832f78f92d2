"""MaPLe (CVPR 2023), and with attributes MaPLe+ATPrompt: learned tokens in the first blocks of both towers."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from papertables.backbones.prompts import ImagePrompts, TextPrompts
from papertables.methods.inputs import MethodInputs
from papertables.methods.learner import BaseLearner
from papertables.methods.pixels import Plain
from papertables.methods.prompt_names import Anchors, DeepAttributes
from papertables.methods.prompting import CONTEXT_STD, Laid, Prompting, Similarity
from papertables.methods.seeding import seeded


class Learner(BaseLearner):
    """The class context is projected to tokens behind the patches; from the second block to block ``depth`` new vectors
    replace it, and their projections those tokens (its sections 3.2 and 3.3). A tower with fewer blocks uses fewer.

    deep: what becomes of attributes there (ATPrompt, table 6): ``keep`` lets their tokens run through all blocks,
    ``drop_soft`` replaces their contexts by new vectors too, ``drop_all`` also their words, by their embeddings.
    """

    def __init__(
        self,
        given: MethodInputs,
        /,
        context: int,
        depth: int,
        init: str = "",
        attributes: Sequence[str] = (),
        anchors: Anchors = "interval",
        attribute_context: Sequence[int] | None = None,
        deep: DeepAttributes = "keep",
    ):
        super().__init__()
        self.pixels, text = Plain(given), given.text
        self.prompting = Prompting(given, context, attributes, anchors, attribute_context, init=init, keep_length=True)
        self.similarity = Similarity(given)
        self.deep, self.assumed = deep, given.deep_start == "assumed"
        self.blocks, self.image_blocks = text.blocks, text.image_blocks
        own = list(self.prompting.named_parameters())
        replaced = [(name, each) for name, each in own if name == "context" or deep != "keep"]
        with seeded(given.seed + 1):  # other numbers than the context's
            self.project = nn.Linear(text.width, text.image_width)
            self.deep_vectors = nn.ModuleList(
                nn.ParameterDict({name: CONTEXT_STD * torch.randn(each.shape) for name, each in replaced})
                for _ in range(depth - 1)
            )
            self.deep_projects = nn.ModuleList(nn.Linear(text.width, text.image_width) for _ in range(depth - 1))

    def prompts(self, names: tuple[str, ...], features: Tensor | None = None) -> TextPrompts:
        """Prompts of C classes."""
        plain, used = self.prompting(names), self.deep_vectors[: self.blocks - 1]
        if not used:
            return plain
        laid, (at, shared, length) = self.prompting.laid(names), self.prompting.deep_places(names, self._at)
        deep = tuple(self._replacing(laid, at, vectors) for vectors in used)
        return replace(plain, lengths=(length,), deep=deep, at=at, shared=shared)

    def image_prompts(self, count: int) -> ImagePrompts:
        """The same for each of ``count`` images."""
        tokens = self.project(self.prompting.context).expand(count, -1, -1)
        pairs = list(zip(self.deep_projects, self.deep_vectors, strict=True))[: self.image_blocks - 1]
        return ImagePrompts(tokens, tuple(project(own["context"]).expand(count, -1, -1) for project, own in pairs))

    def classify(self, features: Tensor, texts: Tensor, names: tuple[str, ...] = ()) -> Tensor:
        """(B, D) and (C, D) to (B, C)."""
        return self.similarity(features, texts)

    def _at(self, laid: Laid) -> Tensor:
        """Where tokens are replaced, (C, n)."""
        if self.deep == "keep":
            return self.prompting.class_places(laid, self.assumed)
        return laid.placed.at(*self.deep_vectors[0].keys(), words=self.deep == "drop_all")

    def _replacing(self, laid: Laid, at: Tensor, vectors: nn.ParameterDict) -> Tensor:
        """What stands at these places instead, (C, n, W), or (1, n, W) of one class for all."""
        if self.deep == "keep":
            return vectors["context"].expand(len(at), -1, -1)
        table = torch.cat([vectors[name] for name in laid.placed.lengths])  # (V, W)
        index = laid.index[: len(at)].gather(1, at)
        words = laid.embedded[: len(at)].gather(1, at[:, :, None].expand(-1, -1, table.shape[1]))
        return torch.where((index >= 0)[:, :, None], table[index.clamp(min=0)], words)
