"""AttrVR: AR's trained frame, and per image the nearest of each class's generated sentences."""

from torch import nn

from papertables.methods.context import Context
from papertables.methods.heads import AttributeHead
from papertables.methods.pixels import Padding


class Learner(nn.Module):
    def __init__(self, context: Context, inner: int, k: int, lam: float, m: int):
        super().__init__()
        self.pixels = Padding(context, inner)
        self.logits = AttributeHead(context, k, lam, m)
