"""AR: a trained frame around a smaller image, the template's text features."""

from papertables.methods.heads import ClassHead
from papertables.methods.inputs import MethodInputs
from papertables.methods.learner import BaseLearner
from papertables.methods.pixels import Padding


class Learner(BaseLearner):
    def __init__(self, given: MethodInputs, inner: int):
        super().__init__()
        self.pixels = Padding(given, inner)
        self.logits = ClassHead(given)
