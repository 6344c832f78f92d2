"""VP: a trained watermark on a frame, the template's text features."""

from papertables.methods.heads import ClassHead
from papertables.methods.inputs import MethodInputs
from papertables.methods.learner import BaseLearner
from papertables.methods.pixels import Watermark


class Learner(BaseLearner):
    def __init__(self, given: MethodInputs, pad: int):
        super().__init__()
        self.pixels = Watermark(given, pad)
        self.logits = ClassHead(given)
