"""Reprogramming of a frozen backbone's input and output: a trained watermark on a frame, or on the whole image."""

from papertables.methods.inputs import MethodInputs
from papertables.methods.learner import BaseLearner
from papertables.methods.outputs import output
from papertables.methods.pixels import Watermark


class Learner(BaseLearner):
    def __init__(self, given: MethodInputs, pad: int, mapping: str, laplace: float, ratio: float):
        super().__init__()
        self.pixels = Watermark(given, pad)
        self.logits = output(given, mapping, laplace, ratio)
