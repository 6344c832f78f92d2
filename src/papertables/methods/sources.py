"""Source logits: what a frozen backbone says about images in its own labels.

The last layer of a classifier lives here, so that its tower ends with the penultimate features. ``labels``
is the number S of source labels.
"""

import torch.nn.functional as F
from torch import Tensor, nn

ALL = slice(None)


class LinearSource(nn.Module):
    """A classifier's frozen last layer. weight: (S, D), bias: (S,)."""

    def __init__(self, weight: Tensor, bias: Tensor):
        super().__init__()
        self.labels = len(weight)
        self.register_buffer("weight", weight.detach(), persistent=False)
        self.register_buffer("bias", bias.detach(), persistent=False)

    def forward(self, features: Tensor, chosen: Tensor | slice = ALL) -> Tensor:
        """(B, D) to the logits (B, S), or only to those of the labels ``chosen`` (C,)."""
        return F.linear(features, self.weight[chosen], self.bias[chosen])


class PromptSource(nn.Module):
    """Scaled cosines with the text features of source prompts. logit_scale: its logarithm, ().
    prompts: (S, D), of length 1."""

    def __init__(self, logit_scale: Tensor, prompts: Tensor):
        super().__init__()
        self.labels = len(prompts)
        self.register_buffer("logit_scale", logit_scale.clone())
        self.register_buffer("prompts", prompts, persistent=False)

    def forward(self, features: Tensor, chosen: Tensor | slice = ALL) -> Tensor:
        """(B, D) to the logits (B, S), or only to those of the prompts ``chosen`` (C,)."""
        return self.logit_scale.exp() * F.normalize(features, dim=-1) @ self.prompts[chosen].T
