"""Plain images and a trained output: with a new last layer, the usual finetuning of it."""

from papertables.methods.inputs import MethodInputs
from papertables.methods.learner import BaseLearner
from papertables.methods.outputs import output
from papertables.methods.pixels import Plain


class Learner(BaseLearner):
    def __init__(self, given: MethodInputs, mapping: str, laplace: float, ratio: float):
        super().__init__()
        self.pixels = Plain(given)
        self.logits = output(given, mapping, laplace, ratio)
