"""Reprogramming of a frozen backbone's input and output: a trained frame around a smaller image."""

from papertables.methods.inputs import MethodInputs
from papertables.methods.learner import BaseLearner
from papertables.methods.outputs import output
from papertables.methods.pixels import Padding


class Learner(BaseLearner):
    def __init__(self, given: MethodInputs, inner: int, mapping: str, laplace: float, ratio: float):
        super().__init__()
        self.pixels = Padding(given, inner)
        self.logits = output(given, mapping, laplace, ratio)
