"""Zero-shot CLIP: the template's text features on plain images."""

from torch import nn

from papertables.methods.context import Context
from papertables.methods.heads import ClassHead
from papertables.methods.pixels import Plain


class Learner(nn.Module):
    def __init__(self, context: Context):
        super().__init__()
        self.pixels = Plain(context)
        self.logits = ClassHead(context)
