"""Splits in CoOp's JSON format, and its rules for drawing from them. Draws take a private random stream."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Literal, NamedTuple

from papertables.base.errors import UserError
from papertables.base.files import read_json
from papertables.specs.spec import ClassSet, RunSpec, SearchSpec

MAX_VAL_SHOTS = 4
PARTS = ("train", "val", "test")
SUBSET = "split_subset.json"  # in a raw folder: the part of a data set that a user took


class Item(NamedTuple):
    """An image: its path as the split has it, its label from 0 and the name of its class."""

    path: str
    label: int
    name: str


@dataclass(frozen=True)
class Split:
    train: tuple[Item, ...]
    val: tuple[Item, ...]
    test: tuple[Item, ...]

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """By label."""
        names = {item.label: item.name for part in PARTS for item in getattr(self, part)}
        return tuple(names[label] for label in sorted(names))


def read_split(path: Path) -> Split:
    """Reads and checks a split file; raises UserError with the first thing that is wrong."""
    try:
        content = read_json(path)
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such split file") from None
    if not isinstance(content, dict) or any(not isinstance(content.get(part), list) for part in PARTS):
        raise UserError(f"{path}: a split holds the lists train, val and test")
    split = Split(*(tuple(_item(path, part, entry) for entry in content[part]) for part in PARTS))
    _check(path, split)
    return split


def _item(path: Path, part: str, entry: object) -> Item:
    match entry:
        case [str(image), int(label), str(name)] if label >= 0:
            return Item(image, label, name)
    raise UserError(f"{path}: {part}: an entry is [path, label, class name], found {json.dumps(entry)}")


def _check(path: Path, split: Split) -> None:
    if not split.train or not split.test:
        raise UserError(f"{path}: the {'test' if split.train else 'train'} part is empty")
    names: dict[int, str] = {}
    for part in PARTS:
        for item in getattr(split, part):
            if names.setdefault(item.label, item.name) != item.name:
                raise UserError(f"{path}: label {item.label} is both '{names[item.label]}' and '{item.name}'")
    missing = set(range(len(names))) - set(names)
    if missing:
        raise UserError(f"{path}: labels must count from 0 without gaps, {min(missing)} is missing")


def validated(split: Split) -> Split:
    """With the test part for validation where there is no other, as CoOp's ImageNet."""
    return split if split.val else replace(split, val=split.test)


def few_shot(split: Split, shots: int, stream: Random) -> tuple[list[int], list[int]]:
    """Indices into the train and the validation part, as CoOp draws them: one stream, train first,
    validation with at most four; a class with fewer images than shots gives all of them and draws nothing.
    Shots 0: everything."""
    if shots < 1:
        return list(range(len(split.train))), list(range(len(split.val)))
    return _draw(split.train, shots, stream), _draw(split.val, min(shots, MAX_VAL_SHOTS), stream)


def search_items(split: Split, search: SearchSpec) -> tuple[list[int], list[int]]:
    """What a search trains and validates on, of base classes: indices into the train part, and into its
    ``validation_part``."""
    split = validated(split)
    train, validation = few_shot(split, search.shots, Random(search.draw_seed))
    match search.validation_images:
        case "half_of_shots":
            train, validation = _halves(split.train, train)
        case "test_first":
            validation = range(len(split.test))
    base = chosen_labels(len(split.class_names), "base")
    items = getattr(split, search.validation_part)
    train = [index for index in train if split.train[index].label in base]
    validation = [index for index in validation if items[index].label in base]
    return train, validation[: search.validation_batch] if search.validation_images == "test_first" else validation


def _halves(items: Sequence[Item], drawn: Sequence[int]) -> tuple[list[int], list[int]]:
    """The first half of what was drawn of every class, with the odd one, and the second."""
    by_class: dict[int, list[int]] = defaultdict(list)
    for index in drawn:
        by_class[items[index].label].append(index)
    middles = [(own, (len(own) + 1) // 2) for own in by_class.values()]
    first = [index for own, middle in middles for index in own[:middle]]
    return first, [index for own, middle in middles for index in own[middle:]]


def _draw(items: Sequence[Item], shots: int, stream: Random) -> list[int]:
    by_class: dict[int, list[int]] = defaultdict(list)  # in order of first appearance
    for index, item in enumerate(items):
        by_class[item.label].append(index)
    drawn = []
    for indices in by_class.values():
        drawn += stream.sample(indices, shots) if len(indices) >= shots else indices
    return drawn


def training_indices(split: Split, run: RunSpec) -> list[int]:
    """What a run trains on: a few-shot draw, or everything where no shots are given; of this, of every class the first
    round(fraction · n) images (at least one) in an order drawn from the run's seed."""
    indices = few_shot(split, run.shots or 0, Random(draw_seed(run)))[0]
    if run.trained_classes != "all":
        labels = chosen_labels(len(split.class_names), run.trained_classes)
        indices = [index for index in indices if split.train[index].label in labels]
    if run.fraction is None:
        return indices
    by_class: dict[int, list[int]] = defaultdict(list)
    for index in indices:
        by_class[split.train[index].label].append(index)
    stream = Random(f"fraction {run.seed}")
    chosen = [stream.sample(own, max(1, round(run.fraction * len(own)))) for own in by_class.values()]
    return sorted(index for own in chosen for index in own)


def draw_seed(run: RunSpec) -> int:
    """The seed whose few-shot images the run trains on."""
    return run.fidelity.shared_seed if run.fidelity.few_shot_draw == "shared" else run.seed


def attribute_stream(run: RunSpec, split: Split) -> Random:
    """The stream from which the run samples sentences.

    ``private``: its own. ``global``: Python's stream seeded with the run's seed, moved by the few-shot
    draw where this run is the one that draws; a run that finds the draw cached, or that draws no images,
    has it fresh.
    """
    if run.fidelity.attribute_stream == "private":
        return Random(f"attributes {run.seed}")
    stream = Random(run.seed)
    if run.shots and draw_seed(run) == run.seed:
        few_shot(split, run.shots, stream)
    return stream


def chosen_labels(count: int, classes: ClassSet) -> range:
    """All labels, or CoOp's halves: the first ceil(n/2) are base, the others new."""
    middle = (count + 1) // 2
    return {"all": range(count), "base": range(middle), "new": range(middle, count)}[classes]


def half(train: Sequence[Item], items: Sequence[Item], classes: Literal["base", "new"]) -> list[Item]:
    """The items of the first ceil(n/2) labels of ``train`` (base) or of the others (new), labels from 0."""
    labels = sorted({item.label for item in train})
    relabel = {labels[place]: new for new, place in enumerate(chosen_labels(len(labels), classes))}
    return [item._replace(label=relabel[item.label]) for item in items if item.label in relabel]


def split_trainval(items: Sequence[Item], stream: Random, share: float = 0.2) -> tuple[list[Item], list[Item]]:
    """CoOp's cut of a train list into train and validation: per class, in order of first appearance, the
    first round(share · n) of its shuffled images are for validation (half to even). UserError where that
    is none."""
    by_class: dict[int, list[Item]] = defaultdict(list)
    for item in items:
        by_class[item.label].append(item)
    train, val = [], []
    for members in by_class.values():
        count = round(len(members) * share)
        if not count:
            raise UserError(f"class '{members[0].name}' has {len(members)} images, too few for a validation part")
        order = list(range(len(members)))
        stream.shuffle(order)
        val += [members[index] for index in order[:count]]
        train += [members[index] for index in order[count:]]
    return train, val


def read_and_split(
    folder: Path, seed: int, *, ignored: Collection[str] = (), new_names: Mapping[str, str] | None = None
) -> dict[str, list[Item]]:
    """``cut`` of a folder per class with images in it. Files are listed by name: the released code takes
    them as the file system lists them, which differs between machines."""
    folders = sorted(path for path in folder.iterdir() if path.is_dir())
    listing = {path.name: sorted(file.name for file in path.iterdir()) for path in folders}
    return cut(listing, Random(seed), ignored=ignored, new_names=new_names)


def cut(
    listing: Mapping[str, Sequence[str]],
    stream: Random,
    train_share: float = 0.5,
    val_share: float = 0.2,
    *,
    ignored: Collection[str] = (),
    new_names: Mapping[str, str] | None = None,
) -> dict[str, list[Item]]:
    """CoOp's cut of a folder per class: categories sorted, each one's files shuffled in the order given,
    train first, then validation, the rest for test.

    listing: category to file names; hidden ones are left out. ignored: categories that are left out as if
    they were not there. new_names: category to the name of its class, where that is another; the order of
    the labels and the paths stay those of the categories.
    """
    parts: dict[str, list[Item]] = {part: [] for part in PARTS}
    categories = sorted(name for name in listing if not name.startswith(".") and name not in ignored)
    for label, category in enumerate(categories):
        class_name = (new_names or {}).get(category, category)
        files = [file for file in listing[category] if not file.startswith(".")]
        stream.shuffle(files)
        train = round(len(files) * train_share)
        val = round(len(files) * val_share)
        cuts = {"train": files[:train], "val": files[train : train + val], "test": files[train + val :]}
        for part, names in cuts.items():
            if not names:
                raise UserError(f"category '{category}' has {len(files)} images, too few for a {part} part")
            parts[part] += [Item(f"{category}/{name}", label, class_name) for name in names]
    return parts
