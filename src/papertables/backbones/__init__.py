"""Frozen backbones. Nothing is imported here but what a plan needs: torch comes with the first tower."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from papertables.backbones.catalog import Backbone
    from papertables.backbones.classifier import FrozenClassifier
    from papertables.backbones.clip import FrozenClip
    from papertables.specs.rules import Kept


def load_tower(entry: Backbone, weights: Path, device: str | torch.device = "cpu") -> FrozenClip | FrozenClassifier:
    """The backbone of any kind from its file of weights. Raises UserError where the file does not hold it."""
    if entry.classes is None:
        from papertables.backbones.clip import load
    else:
        from papertables.backbones.classifier import load

    return load(entry, Path(weights), device)


def checked_tower(kept: Kept, device: str | torch.device = "cpu") -> FrozenClip | FrozenClassifier:
    """The backbone that says what is kept, once its file was found to be the published one, or a user's own. Raises
    UserError as ``Backbone.check`` and ``load_tower``."""
    from papertables.backbones.catalog import backbone_with

    entry = backbone_with(kept.backbone, kept.own_weights)
    entry.check(Path(kept.weights))
    return load_tower(entry, Path(kept.weights), device)
