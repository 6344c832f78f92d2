"""SMM: a program weighted, per image, by a mask that a trained network makes."""

from papertables.methods.inputs import MethodInputs
from papertables.methods.learner import BaseLearner
from papertables.methods.masks import Masked
from papertables.methods.outputs import output


class Learner(BaseLearner):
    added = Masked  # to the image

    def __init__(
        self,
        given: MethodInputs,
        layers: int,
        patch: int,
        channels: int,
        width: int,
        mapping: str,
        laplace: float,
        ratio: float,
    ):
        super().__init__()
        self.pixels = self.added(given, layers, patch, channels, width, given.seed)
        self.logits = output(given, mapping, laplace, ratio)
