"""Learned tokens beside an image's patches, on their own."""

import torch
from torch import nn

from papertables.backbones.prompts import ImagePrompts
from papertables.methods.prompting import CONTEXT_STD


class ImageTokens(nn.Module):
    """Of an image tower: ``count`` tokens behind the patches, which new ones replace in each block from the second to
    block ``depth``, as far as there are blocks; all drawn from N(0, 0.02)."""

    def __init__(self, count: int, width: int, depth: int, blocks: int):
        super().__init__()
        self.tokens = nn.Parameter(CONTEXT_STD * torch.randn(count, width))
        self.deep = nn.ParameterList(CONTEXT_STD * torch.randn(count, width) for _ in range(depth - 1))
        self.used = max(blocks - 1, 0)

    def forward(self, count: int) -> ImagePrompts:
        """The same for each of ``count`` images."""
        return ImagePrompts.of_all(self.tokens, self.deep[: self.used], count)
