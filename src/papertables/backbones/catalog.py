"""The backbones by name. Nothing here imports torch, so that a plan can be made without it."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from papertables.errors import UserError, unknown
from papertables.spec import Model, Number, Rate
from papertables.validation import check_different, entries

CATALOG = Path(__file__).parent / "catalog.yaml"
Mean = tuple[Number, Number, Number]  # per channel
Deviation = tuple[Rate, Rate, Rate]


class Backbone(Model):
    """One frozen backbone.

    kind: ``clip`` (OpenAI's state dict), ``torchvision`` and ``timm`` (a classifier with the state dict of that
    library's architecture), ``mini`` and ``mini_classifier`` (shipped with the package). architecture: the
    library's name, open_clip's for a CLIP. image_size in pixels. embed_dim: the width D of what
    ``encode_image`` gives. classes: the number S of source classes, None for a CLIP. mean, std: what a classifier's
    pixels are normalised with. gmacs: 10⁹ multiply-accumulates of one image.
    sha256_prefix: the first digits, where no more is known; the names of torch hub's files end in eight.
    substitute_for: the entry in whose place this one may stand, and how it differs. note: what a reader should know.
    """

    id: Annotated[str, Field(pattern="^[a-z0-9_-]+$")]
    label: Annotated[str, Field(min_length=1)]  # the name that the papers print
    kind: Literal["mini", "clip", "torchvision", "timm", "mini_classifier"]
    architecture: str
    image_size: PositiveInt
    embed_dim: PositiveInt
    classes: PositiveInt | None = None
    mean: Mean | None = None
    std: Deviation | None = None
    gmacs: Rate
    licence: str
    file: str  # weights: beside this module for the mini ones, below the weights folder else
    url: str | None = None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    sha256_prefix: Annotated[str, Field(pattern="^[0-9a-f]{8,63}$")] | None = None
    bytes: NonNegativeInt = 0  # of the download, roughly
    substitute_for: str | None = None
    note: str | None = None

    @model_validator(mode="after")
    def _a_classifier_says_how_pixels_are_normalised(self):
        is_classifier = self.kind in ("torchvision", "timm", "mini_classifier")
        for key in ("classes", "mean", "std"):
            if is_classifier != (getattr(self, key) is not None):
                raise ValueError(f"kind {self.kind} {'needs' if is_classifier else 'takes no'} {key}")
        return self

    @property
    def shipped(self) -> bool:
        """Whether the weights come with the package."""
        return self.url is None

    @property
    def fit(self) -> Literal["crop", "square"]:
        """How images are brought to its own input: CLIP crops, BLM and SMM give a classifier squares."""
        return "crop" if self.classes is None else "square"

    @property
    def is_vit(self) -> bool:
        """Whether its image tower is a vision transformer, by its architecture's name."""
        return "vit" in self.architecture.lower()

    def check(self, path: Path) -> None:
        """Raises UserError where the file's SHA-256 does not begin with what is known of it."""
        known = self.sha256 or self.sha256_prefix
        if known is None:
            return
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if not found.startswith(known):
            raise UserError(
                f"{path}: altered or truncated, its SHA-256 does not begin with {known[:8]}: delete it and run again"
            )


@cache
def backbones() -> dict[str, Backbone]:
    found = entries(Backbone, CATALOG)
    check_different(CATALOG, "label", {id: entry.label for id, entry in found.items()})
    return found


def backbone(id: str) -> Backbone:
    """The entry, or a UserError that lists the known names."""
    known = backbones()
    if id not in known:
        raise UserError(unknown("backbone", id, known))
    return known[id]
