"""Reprogramming of a frozen backbone's input and output: a trained watermark on a frame, or on the whole image."""

from torch import nn

from papertables.methods.context import Context
from papertables.methods.outputs import output
from papertables.methods.pixels import Watermark


class Learner(nn.Module):
    def __init__(self, context: Context, pad: int, mapping: str, laplace: float, ratio: float):
        super().__init__()
        self.pixels = Watermark(context, pad)
        self.logits = output(context, mapping, laplace, ratio)
