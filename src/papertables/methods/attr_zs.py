"""AttrZS: AttrVR's text side on plain images."""

from torch import nn

from papertables.methods.context import Context
from papertables.methods.heads import AttributeHead
from papertables.methods.pixels import Plain


class Learner(nn.Module):
    def __init__(self, context: Context, k: int, lam: float, m: int):
        super().__init__()
        self.pixels = Plain(context)
        self.logits = AttributeHead(context, k, lam, m)
