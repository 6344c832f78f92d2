"""SMM without its program: the mask itself is added to the image."""

from torch import nn

from papertables.methods.context import Context
from papertables.methods.masks import OnlyMask
from papertables.methods.outputs import output


class Learner(nn.Module):
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
        self.pixels = OnlyMask(context, layers, patch, channels, width, context.seed)
        self.logits = output(context, mapping, laplace, ratio)
