"""The data sets by name. Nothing here imports torch, so that a plan can be made without it."""

import hashlib
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal
from urllib.parse import urlparse

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from papertables.base.errors import UserError, unknown
from papertables.data.described import Described
from papertables.data.own import OwnDataset, own_datasets
from papertables.specs.spec import Model
from papertables.specs.validation import check_different, entries

CATALOG = Path(__file__).parent / "catalog.yaml"
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Sha1 = Annotated[str, Field(pattern="^[0-9a-f]{40}$")]
Md5 = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]


class Archive(Model):
    """A file in the raw folder.

    sha256_prefix: the first digits, where no more is known. git_blob: the name that git gives to its contents.
    inner: archives inside it, unpacked as well. nested: whether it holds an archive of each class, to be a folder of
    its name. wrapped: whether a folder at its top, where that is all there is, is left out. into: the folder of the
    raw one that it is unpacked to.
    """

    name: str
    sha256: Sha256 | None = None
    sha256_prefix: Annotated[str, Field(pattern="^[0-9a-f]{8,63}$")] | None = None
    git_blob: Sha1 | None = None
    md5: Md5 | None = None
    format: Literal["zip", "tar"] | None = None  # None: nothing to unpack
    inner: tuple[str, ...] = ()
    nested: bool = False
    wrapped: bool = False
    into: str = "."

    @property
    def hashes(self) -> tuple[str, ...]:
        """What is known of its contents, the strongest first: ``sha256:…``, ``git:…``, ``md5:…``."""
        known = {"sha256": self.sha256 or self.sha256_prefix, "git": self.git_blob, "md5": self.md5}
        return tuple(f"{algorithm}:{digits}" for algorithm, digits in known.items() if digits)

    @property
    def known_hash(self) -> str | None:
        return next(iter(self.hashes), None)

    @property
    def names(self) -> tuple[str, ...]:
        """What the file may be called where somebody else has put it."""
        return (self.name,)

    def fits(self, path: Path) -> bool:
        """Whether a file has the checksum that is known of this one; True where none is."""
        if self.known_hash is None:
            return True
        algorithm, expected = self.known_hash.split(":")
        with path.open("rb") as file:
            if algorithm == "git":  # of a blob: its kind and size come before the content
                digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size)
                digest.update(file.read())
            else:
                digest = hashlib.file_digest(file, algorithm)
        return digest.hexdigest().startswith(expected)


class File(Archive):
    """An archive with the addresses that hold it, tried in order; none where only the user can bring it."""

    urls: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([self.name, *(PurePosixPath(urlparse(url).path).name for url in self.urls)]))


class Drawn(Model):
    """Drawn by the program from a seed."""

    kind: Literal["drawn"]


class Url(Model):
    """Files at public addresses.

    instead: other archives of the same images, a list for each, tried in order where one of ``files`` cannot be had.
    """

    kind: Literal["url"]
    files: Annotated[tuple[File, ...], Field(min_length=1)]
    instead: tuple[tuple[File, ...], ...] = ()

    @property
    def ways(self) -> tuple[tuple[File, ...], ...]:
        """Lists of archives, each of which holds all images."""
        return (self.files, *self.instead)


class Unsorted(Model):
    """A folder whose images may lie there without folders of classes, and the file that then says their labels."""

    folder: str
    labels: File


class Manual(Model):
    """What nobody but the user can fetch: ``step`` says how. Where one of ``archives`` lies in the raw folder and not
    the images, it is checked and unpacked."""

    kind: Literal["manual"]
    step: str
    archives: tuple[Archive, ...] = ()
    unsorted: Unsorted | None = None


Source = Annotated[Drawn | Url | Manual, Field(discriminator="kind")]


class Reader(Model):
    """The class of ``torchvision.datasets`` that reads the raw folder, and its arguments for each part.

    checked: whether the class compares the files with the checksums that it knows, those of the published archives.
    """

    class_name: str
    train: dict[str, str | bool]
    test: dict[str, str | bool]
    checked: bool = True


class SplitRule(Model):
    """How train, validation and test are told apart.

    rule: ``file``: a split file in CoOp's format, taken as it is; ``fgvc_aircraft``: the lists that come with
    the images; ``imagenet``: the folders ``train`` and ``val`` (the test set), with CLIP's names of the classes;
    ``imagenet_test``: a folder for each of ImageNet's classes or some of them, named by identifier (n01440764) or by
    label (0), every image for testing, with the same names; ``folders``: drawn by CoOp's procedure from a folder per
    class, unless the raw folder holds ``use_if_present``; ``torchvision``: the published train and test parts, as
    ``reader`` reads them from arrays; ``gtsrb``: in the folder ``train`` one folder per class, for the test images
    a list of labels.
    names: the classes by label, where the data has none.
    """

    rule: Literal["file", "fgvc_aircraft", "imagenet", "imagenet_test", "folders", "torchvision", "gtsrb"]
    file: File | None = None
    use_if_present: str | None = None
    reader: Reader | None = None
    train: str | None = None
    names: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _rule_has_its_options(self):
        for option, rule in {"file": "file", "reader": "torchvision", "train": "gtsrb"}.items():
            given = getattr(self, option) is not None
            if given != (self.rule == rule):
                raise ValueError(f"rule {self.rule} {'takes no' if given else 'needs a'} {option}")
        if self.rule == "gtsrb" and not self.names:
            raise ValueError("rule gtsrb needs names")
        return self


class Dataset(Described):
    """One data set that others have published, or that is drawn.

    classes, train, val, test: what must be found after preparation, as numbers of classes and of images.
    images: the folder inside the raw one that the paths of the split start from.
    places: what the raw folder must hold, each with where else it may lie in a folder that a lab shares, in CoOp's or
    torchvision's layout. What is there already is taken as it is.
    bytes: about what is downloaded; None where no source says.
    """

    source: Source
    split: SplitRule | None = None  # None: drawn together with the images
    images: str = "."
    places: dict[str, tuple[str, ...]] = {}
    classes: PositiveInt
    train: PositiveInt
    val: NonNegativeInt
    test: PositiveInt
    bytes: NonNegativeInt | None = None

    @model_validator(mode="after")
    def _only_drawn_sets_bring_their_split(self):
        if (self.split is None) != (self.source.kind == "drawn"):
            raise ValueError("a data set has a split rule unless it is drawn")
        return self

    @model_validator(mode="after")
    def _a_step_of_the_users_leads_to_a_place(self):
        if self.source.kind == "manual" and not self.places:
            raise ValueError("what a user brings needs places")
        if self.split and self.split.rule == "imagenet" and not (self.source.kind == "manual" and self.source.unsorted):
            raise ValueError("rule imagenet needs a source that says what its unsorted images are")
        return self

    @model_validator(mode="after")
    def _a_name_for_every_class(self):
        names = self.split.names if self.split else ()
        if names and len(set(names)) != self.classes:
            raise ValueError(f"{len(set(names))} class names for {self.classes} classes")
        return self


@cache
def datasets() -> dict[str, Dataset | OwnDataset]:
    """Every data set, by name: those of the catalog, in its order, and the user's own."""
    published, own = entries(Dataset, CATALOG), own_datasets()
    for id in published.keys() & own.keys():
        raise UserError(f"{own[id].file}: the catalog has a data set '{id}' too: rename the file")
    found = published | own
    check_different(CATALOG, "label", {id: entry.label for id, entry in found.items()})
    return found


def dataset(id: str) -> Dataset | OwnDataset:
    """The entry, or a UserError that lists the known names."""
    known = datasets()
    if id not in known:
        raise UserError(unknown("dataset", id, known))
    return known[id]
