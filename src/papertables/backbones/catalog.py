"""The backbones by name. Nothing here imports torch, so that a plan can be made without it."""

from functools import cache
from pathlib import Path
from typing import Literal

import yaml

from papertables.errors import UserError
from papertables.spec import Model


class Backbone(Model):
    """One frozen backbone.

    kind: ``mini`` (shipped with the package) or ``clip`` (OpenAI's state dict). architecture: open_clip's name.
    image_size in pixels. gmacs: 10⁹ multiply-accumulates of one image through the image tower.
    """

    id: str
    label: str  # the name that the papers print
    kind: Literal["mini", "clip"]
    architecture: str
    image_size: int
    embed_dim: int
    gmacs: float
    licence: str
    file: str  # weights: beside this module for ``mini``, below the weights folder else
    url: str | None = None
    sha256: str | None = None
    bytes: int = 0  # of the download, roughly


@cache
def backbones() -> dict[str, Backbone]:
    entries = yaml.safe_load((Path(__file__).parent / "catalog.yaml").read_text())
    return {id: Backbone(id=id, **entry) for id, entry in entries.items()}


def backbone(id: str) -> Backbone:
    """The entry, or a UserError that lists the known names."""
    known = backbones()
    if id not in known:
        raise UserError(f"unknown backbone '{id}': choose one of {', '.join(known)}")
    return known[id]
