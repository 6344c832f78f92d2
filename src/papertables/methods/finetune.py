"""Plain images and a trained output: with a new last layer, the usual finetuning of it."""

from torch import nn

from papertables.methods.context import Context
from papertables.methods.outputs import output
from papertables.methods.pixels import Plain


class Learner(nn.Module):
    def __init__(self, context: Context, mapping: str, laplace: float, ratio: float):
        super().__init__()
        self.pixels = Plain(context)
        self.logits = output(context, mapping, laplace, ratio)
