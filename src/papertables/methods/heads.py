"""From image features to class logits: by one text feature per class, or by the nearest of many sentences."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from papertables.methods.inputs import MethodInputs


class ClassHead(nn.Module):
    """Scaled cosines with the text features of the classes."""

    def __init__(self, given: MethodInputs):
        super().__init__()
        self.register_buffer("logit_scale", given.logit_scale.clone())
        self.register_buffer("classes", given.classes, persistent=False)  # (C, D)

    def forward(self, features: Tensor) -> Tensor:
        """(B, D) to (B, C)."""
        return self.logit_scale.exp() * F.normalize(features, dim=-1) @ self.classes.T


class AttributeHead(nn.Module):
    """AttrVR's text side (its equations of section 3): λ · descriptive + (1 − λ) · distinctive logits."""

    def __init__(self, given: MethodInputs, k: int, lam: float, m: int):
        super().__init__()
        self.k, self.lam = k, lam
        self.register_buffer("logit_scale", given.logit_scale.clone())
        self.register_buffer("descriptive", given.descriptive, persistent=False)  # (C, m, D)
        self.register_buffer("distinctive", given.distinctive, persistent=False)  # (C, m, D)

    def forward(self, features: Tensor) -> Tensor:
        """(B, D) to (B, C)."""
        unit, scale = F.normalize(features, dim=-1), self.logit_scale.exp()
        descriptive = nearest_logits(unit, self.descriptive, scale, self.k)
        distinctive = nearest_logits(unit, self.distinctive, scale, self.k)
        return self.lam * descriptive + (1 - self.lam) * distinctive


def nearest_logits(unit: Tensor, sentences: Tensor, scale: Tensor, k: int) -> Tensor:
    """Mean of the k largest scaled cosines per class; k above m means all m.

    unit: (B, D), sentences: (C, m, D), both of length 1. Returns (B, C).
    """
    classes, m, _ = sentences.shape
    cosines = (scale * unit @ sentences.flatten(0, 1).T).unflatten(1, (classes, m))  # (B, C, m)
    return torch.topk(cosines, min(k, m), dim=-1).values.mean(-1)
