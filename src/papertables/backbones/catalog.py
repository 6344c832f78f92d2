"""The backbones by name. Nothing here imports torch, so that a plan can be made without it."""

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from papertables.base.errors import UserError, unknown
from papertables.base.files import file_digest_once, read_json, read_yaml
from papertables.data.catalog import File
from papertables.specs.config import OwnWeights
from papertables.specs.spec import Model, Number, Rate, digest
from papertables.specs.validation import check_different, entries

CATALOG = Path(__file__).parent / "catalog.yaml"
READ_BY = ("kind", "architecture", "image_size", "classes", "mean", "std")
Mean = tuple[Number, Number, Number]  # per channel
Deviation = tuple[Rate, Rate, Rate]


class Backbone(Model):
    """One frozen backbone.

    kind: ``clip`` (OpenAI's state dict), ``open_clip`` (open_clip's model of that name, where a user says so),
    ``torchvision`` and ``timm`` (a classifier with the state dict of that library's architecture), ``mini`` and
    ``mini_classifier`` (shipped with the package). architecture: the library's name, open_clip's for a CLIP.
    image_size in pixels. embed_dim: the width D of what ``encode_image`` gives. classes: the number S of source
    classes, None for a CLIP. mean, std: what a classifier's pixels are normalised with. gmacs: 10⁹
    multiply-accumulates of one image.
    sha256_prefix: the first digits, where no more is known; the names of torch hub's files end in eight.
    urls: the addresses that hold them, tried in order; none of those that are shipped. unchecked: why no whole checksum
    of them is known.
    own: whether the weights are a user's and not those of ``file``.
    substitute_for: the entry in whose place this one may stand, and how it differs. note: what a reader should know.
    """

    id: Annotated[str, Field(pattern="^[a-z0-9_-]+$")]
    label: Annotated[str, Field(min_length=1)]  # the name that the papers print
    kind: Literal["mini", "clip", "open_clip", "torchvision", "timm", "mini_classifier"]
    architecture: str
    image_size: PositiveInt
    embed_dim: PositiveInt
    classes: PositiveInt | None = None
    mean: Mean | None = None
    std: Deviation | None = None
    gmacs: Rate
    licence: str
    file: str  # weights: beside this module for the mini ones, below the weights folder else
    urls: tuple[str, ...] = ()
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    sha256_prefix: Annotated[str, Field(pattern="^[0-9a-f]{8,63}$")] | None = None
    bytes: NonNegativeInt = 0  # of the download, roughly
    unchecked: str | None = None
    substitute_for: str | None = None
    note: str | None = None
    own: bool = False

    @model_validator(mode="after")
    def _a_classifier_says_how_pixels_are_normalised(self):
        is_classifier = self.kind in ("torchvision", "timm", "mini_classifier")
        for key in ("classes", "mean", "std"):
            if is_classifier != (getattr(self, key) is not None):
                raise ValueError(f"kind {self.kind} {'needs' if is_classifier else 'takes no'} {key}")
        return self

    @model_validator(mode="after")
    def _has_a_checksum_or_says_why_not(self):
        if bool(self.urls) != bool(self.sha256 or self.unchecked) or (self.sha256 and self.unchecked):
            raise ValueError("weights that are downloaded need sha256, or unchecked: why none is known")
        return self

    @property
    def shipped(self) -> bool:
        """Whether the weights come with the package."""
        return not self.urls

    @property
    def published(self) -> File:
        """The published file of weights, below the weights folder."""
        return File(name=self.file, urls=self.urls, sha256=self.sha256, sha256_prefix=self.sha256_prefix)

    @property
    def fit(self) -> Literal["crop", "square"]:
        """How images are brought to its own input: CLIP crops, BLM and SMM give a classifier squares."""
        return "crop" if self.classes is None else "square"

    @property
    def is_vit(self) -> bool:
        """Whether its image tower is a vision transformer, by its architecture's name."""
        return "vit" in self.architecture.lower()

    @property
    def reading(self) -> str | None:
        """Ten hexadecimal digits over what, beside its tensors, decides what a file of weights computes; None while
        that is what it was before records of runs said it (``first_readings.yaml``), so that these stay valid."""
        now = digest(self.model_dump(mode="json", include=set(READ_BY)))
        return None if now == first_readings().get(self.id) else now

    def check(self, path: Path) -> str:
        """The file's SHA-256; raises UserError where there is no file, or where that of weights that are not a user's
        own does not begin with what is known of it, or is another than their record beside them says."""
        try:
            found = file_digest_once(path)
        except FileNotFoundError:
            raise UserError(f"{path}: there is no such file of weights: {self.mend}") from None
        known = self.sha256 or self.sha256_prefix
        record = path.with_suffix(".json")  # of weights that were pretrained here
        if not known and self.shipped and record.is_file() and read_json(record).get("weights", found) != found:
            raise UserError(f"{path}: damaged, its SHA-256 is not the one in {record.name}: {self.mend}")
        if not self.own and known and not found.startswith(known):
            raise UserError(
                f"{path}: these are not the published weights of {self.id}, or they are altered or truncated: the "
                f"file's SHA-256 does not begin with {known[:8]}: delete it and run again, or name weights of your own "
                f"under 'weights: {self.id}' in config.yaml"
            )
        return found

    @property
    def mend(self) -> str:
        """What to do about a file of weights that is none."""
        if self.own:
            return f"name another file, or what it is of, under 'weights: {self.id}' in config.yaml"
        return f"put {self.urls[0] if self.urls else 'the file shipped with papertables'} there"


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


def backbone_with(id: str, own: OwnWeights | None) -> Backbone:
    """The entry as a user's weights for it are read; raises UserError where it has one architecture alone."""
    entry = backbone(id)
    if own is None:
        return entry
    said = own.model_dump(exclude={"path"}, exclude_none=True)
    if "architecture" in said and entry.shipped:
        raise UserError(
            f"config: weights: {id}: architecture: weights of {entry.label} are of {entry.architecture} alone: leave "
            "the key out"
        )
    if "architecture" in said and entry.kind == "clip":
        said["kind"] = "open_clip"
    return entry.model_copy(update=said | {"own": True})


@cache
def first_readings() -> dict[str, str]:
    """By backbone, how its weights were read before records of runs said it."""
    return read_yaml(Path(__file__).with_name("first_readings.yaml"))
