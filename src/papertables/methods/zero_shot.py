"""Zero-shot CLIP: the template's text features on plain images."""

from papertables.methods.heads import ClassHead
from papertables.methods.inputs import MethodInputs
from papertables.methods.learner import BaseLearner
from papertables.methods.pixels import Plain


class Learner(BaseLearner):
    def __init__(self, given: MethodInputs):
        super().__init__()
        self.pixels = Plain(given)
        self.logits = ClassHead(given)
