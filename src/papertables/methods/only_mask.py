"""SMM without its program: the mask itself is added to the image."""

from papertables.methods import smm
from papertables.methods.masks import OnlyMask


class Learner(smm.Learner):
    added = OnlyMask
