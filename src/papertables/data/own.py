"""Data sets of one's own: each a folder of images, and one file that says what they are."""

from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path
from random import Random
from typing import Annotated, ClassVar, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from papertables.base.code import FOLDER
from papertables.base.errors import UserError, unknown
from papertables.data.described import Described
from papertables.data.splits import PARTS, Item, Split, cut
from papertables.specs.config import Folder
from papertables.specs.spec import Model, Number
from papertables.specs.validation import read

OWN_DATASETS = "workflow/datasets"
DECLARED = FOLDER.parents[1] / OWN_DATASETS
IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
MOST_ANCHORS = 3
Listing = dict[str, list[str]]  # by folder of a class, the names of its images
Share = Annotated[Number, Field(gt=0, lt=1)]


class Counts(Model):
    """What is to be found, as numbers of classes and of images."""

    classes: PositiveInt
    train: PositiveInt
    val: NonNegativeInt = 0
    test: PositiveInt


class Own(Model):
    kind: Literal["own"] = "own"


class OwnDataset(Described):
    """workflow/datasets/<data set>.yaml.

    images: a folder of them, as seen from the working folder. It holds ``train``, ``test`` and perhaps ``val``, each
    with a folder of every class; or a folder of every class, whose images are cut as CoOp cuts them. Nothing is written
    there. names: by folder, the name of a class where that is another.
    """

    images: Folder
    licence: str = "not said"
    task: str = "image"
    clip_template: str = "a photo of a {}."
    names: dict[str, str] = {}
    train_share: Share = Field(0.5, description="of a folder that is cut: of each class")
    val_share: Share = Field(0.2, description="of a folder that is cut: of each class; the rest is for testing")
    sentences: str = Field("own", description="the source of its sentences, where nothing names another")
    anchors: Annotated[tuple[str, ...], Field(max_length=MOST_ANCHORS)] = Field(
        (), description="attributes that prompts take, as ATPrompt's do"
    )
    counts: Counts | None = Field(None, description="none: as many as there are")

    @model_validator(mode="after")
    def _shares_leave_some_for_testing(self):
        if self.train_share + self.val_share >= 1:
            raise ValueError(
                f"train_share is {self.train_share:g} and val_share is {self.val_share:g}, which leaves no image for "
                "testing: together they must be less than 1"
            )
        return self

    source: ClassVar[Own] = Own()
    split: ClassVar[None] = None
    places: ClassVar[dict[str, tuple[str, ...]]] = {}
    bytes: ClassVar[None] = None

    @property
    def file(self) -> str:
        """Where it is declared."""
        return f"{OWN_DATASETS}/{self.id}.yaml"

    @property
    def classes(self) -> int:
        return self._found.classes

    @property
    def train(self) -> int:
        return self._found.train

    @property
    def val(self) -> int:
        return self._found.val

    @property
    def test(self) -> int:
        return self._found.test

    @cached_property
    def _found(self) -> Counts:
        split = self.read(0)
        return Counts(classes=len(split.class_names), **{part: len(getattr(split, part)) for part in PARTS})

    @property
    def problem(self) -> str | None:
        """What keeps it from being split; None where nothing does."""
        try:
            self.read(0)
        except UserError as error:
            return str(error)

    def made_by(self, seed: int) -> str:
        """Where its split comes from."""
        return "folders train and test" if self._in_parts else f"CoOp's procedure, seed {seed}"

    def read(self, seed: int) -> Split:
        """Its split, by the names of the files alone. Raises UserError for a folder in which it is not to be found, and
        where there are others than it declares. seed: of the cut."""
        if not Path(self.images).is_dir():
            raise UserError(
                f"{self.id}: there is no folder {self.images}: put its images there, a folder for each class (or train "
                f"and test with such folders), or name another in {self.file}"
            )
        split = self._of_parts() if self._in_parts else self._cut(seed)
        if len(split.class_names) == 1:
            (name,) = split.class_names
            raise UserError(f"{self.id}: {self.images} has one class alone, '{name}': add a folder for each other one")
        if self.counts:
            self._compare(split, self.counts)
        return split

    @property
    def _in_parts(self) -> bool:
        return all((Path(self.images) / part).is_dir() for part in ("train", "test"))

    def _of_parts(self) -> Split:
        listings = {part: self._listing(Path(self.images) / part) for part in PARTS if part != "val" or self._has_val}
        for part, listing in listings.items():
            for name in sorted(listing.keys() ^ listings["train"].keys()):
                there = "train" if name in listings["train"] else part
                lacks = part if there == "train" else "train"
                raise UserError(f"{self.id}: {self.images}/{there} has a class '{name}', and {lacks} has none: add it")
        labels = {name: label for label, name in enumerate(listings["train"])}
        items = {
            part: tuple(
                Item(f"{part}/{name}/{image}", labels[name], self.names.get(name, name))
                for name, images in listing.items()
                for image in images
            )
            for part, listing in listings.items()
        }
        return Split(**{part: items.get(part, ()) for part in PARTS})

    @property
    def _has_val(self) -> bool:
        return (Path(self.images) / "val").is_dir()

    def _cut(self, seed: int) -> Split:
        listing = self._listing(Path(self.images))
        try:
            parts = cut(listing, Random(seed), self.train_share, self.val_share, new_names=self.names)
        except UserError as error:
            raise UserError(f"{self.id}: {self.images}: {error}: add images") from None
        return Split(**{part: tuple(items) for part, items in parts.items()})

    def _listing(self, folder: Path) -> Listing:
        """The classes by name, and the images of each."""
        found = {path.name: [*_images(path)] for path in sorted(folder.iterdir()) if _is_class(path)}
        if not found:
            raise UserError(f"{self.id}: {folder} has no folder of a class: put each image into one named as its class")
        if not all(found.values()):
            raise UserError(f"{self.id}: {self._without_images(folder, found)}")
        for name in self.names:
            if name not in found:
                raise UserError(f"{self.file}: names: {unknown('folder', name, found)}")
        if len({self.names.get(name, name) for name in found}) < len(found):
            raise UserError(f"{self.file}: names: two folders have one name: give each its own")
        return found

    def _without_images(self, folder: Path, found: Listing) -> str:
        """What to do where folders of classes have no image; not to remove one whose images lie deeper."""
        deeper = {name: inner for name in found if (inner := _classes_below(folder / name))}
        name = next(name for name, images in found.items() if not images)
        if len(deeper) == 1 and not any(found.values()) and folder == Path(self.images):
            (inner,) = deeper.values()
            return f"the folders of its classes are in {inner}: write 'images: {inner}' in {self.file}"
        if name in deeper:
            return f"{folder / name} has its images in folders below it: move them into it"
        return f"{folder / name} has no image: add some ({', '.join(IMAGES)}), or remove the folder"

    def _compare(self, split: Split, counts: Counts) -> None:
        found = {"classes": len(split.class_names)} | {part: len(getattr(split, part)) for part in PARTS}
        for name, number in found.items():
            if number != getattr(counts, name):
                raise UserError(
                    f"{self.file}: counts: {name} is {getattr(counts, name)}, and {self.images} has {number}: mend one "
                    "of them, or leave counts out"
                )


@cache
def own_datasets() -> dict[str, OwnDataset]:
    """By name, as they are declared; nothing is looked for before it is asked about."""
    return {path.stem: read(OwnDataset, path, id=path.stem) for path in sorted(DECLARED.glob("*.yaml"))}


def _is_class(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".")


def _classes_below(folder: Path) -> Path | None:
    """The folder of a data set, at or below a folder; None where no images are there."""
    for path in sorted(folder.glob("**/")):
        if any(any(_images(inner)) for inner in path.iterdir() if _is_class(inner)):
            return path.parent if path.name in PARTS else path
    return None


def _images(folder: Path) -> Iterator[str]:
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in IMAGES and not path.name.startswith("."):
            yield path.name
