"""AttrVR: AR's trained frame, and per image the nearest of each class's generated sentences."""

from papertables.methods.heads import AttributeHead
from papertables.methods.inputs import MethodInputs
from papertables.methods.learner import BaseLearner
from papertables.methods.pixels import Padding


class Learner(BaseLearner):
    def __init__(self, given: MethodInputs, inner: int, k: int, lam: float, m: int):
        super().__init__()
        self.pixels = Padding(given, inner)
        self.logits = AttributeHead(given, k, lam, m)
