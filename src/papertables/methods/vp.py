"""VP: a trained watermark on a frame, the template's text features."""

from torch import nn

from papertables.methods.context import Context
from papertables.methods.heads import ClassHead
from papertables.methods.pixels import Watermark


class Learner(nn.Module):
    def __init__(self, context: Context, pad: int):
        super().__init__()
        self.pixels = Watermark(context, pad)
        self.logits = ClassHead(context)
