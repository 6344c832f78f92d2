"""AttrZS: AttrVR's text side on plain images."""

from papertables.methods.heads import AttributeHead
from papertables.methods.inputs import MethodInputs
from papertables.methods.learner import BaseLearner
from papertables.methods.pixels import Plain


class Learner(BaseLearner):
    def __init__(self, given: MethodInputs, k: int, lam: float, m: int):
        super().__init__()
        self.pixels = Plain(given)
        self.logits = AttributeHead(given, k, lam, m)
