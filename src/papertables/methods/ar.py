"""AR: a trained frame around a smaller image, the template's text features."""

from torch import nn

from papertables.methods.context import Context
from papertables.methods.heads import ClassHead
from papertables.methods.pixels import Padding


class Learner(nn.Module):
    def __init__(self, context: Context, inner: int):
        super().__init__()
        self.pixels = Padding(context, inner)
        self.logits = ClassHead(context)
