"""Plain images, and all of the backbone trained with its output: the usual finetuning (SMM, figure 2)."""

import copy

from torch import Tensor

from papertables.methods.inputs import MethodInputs
from papertables.methods.learner import BaseLearner
from papertables.methods.outputs import output
from papertables.methods.pixels import Plain


class Learner(BaseLearner):
    """``features`` go through a copy of the tower that is the learner's own, batch norm and all."""

    def __init__(self, given: MethodInputs, mapping: str, laplace: float, ratio: float):
        super().__init__()
        self.pixels = Plain(given)
        self.tower = copy.deepcopy(given.tower).requires_grad_()
        self.logits = output(given, mapping, laplace, ratio)

    def features(self, pixels: Tensor) -> Tensor:
        """(B, 3, P, P), normalised, to (B, D)."""
        return self.tower(pixels)
