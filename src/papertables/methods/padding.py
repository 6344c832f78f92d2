"""Reprogramming of a frozen backbone's input and output: a trained frame around a smaller image."""

from torch import nn

from papertables.methods.context import Context
from papertables.methods.outputs import output
from papertables.methods.pixels import Padding


class Learner(nn.Module):
    def __init__(self, context: Context, inner: int, mapping: str, laplace: float, ratio: float):
        super().__init__()
        self.pixels = Padding(context, inner)
        self.logits = output(context, mapping, laplace, ratio)
