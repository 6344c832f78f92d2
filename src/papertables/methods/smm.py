"""SMM: a program weighted, per image, by a mask that a trained network makes."""

from torch import nn

from papertables.methods.context import Context
from papertables.methods.masks import Masked
from papertables.methods.outputs import output


class Learner(nn.Module):
    added = Masked  # to the image

    def __init__(
        self,
        context: Context,
        layers: int,
        patch: int,
        channels: int,
        width: int,
        mapping: str,
        laplace: float,
        ratio: float,
    ):
        super().__init__()
        self.pixels = self.added(context, layers, patch, channels, width, context.seed)
        self.logits = output(context, mapping, laplace, ratio)
