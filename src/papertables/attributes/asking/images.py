"""Training images that a multimodal model is shown with a prompt."""

from collections import defaultdict
from io import BytesIO
from pathlib import Path
from random import Random

from PIL import Image

from papertables.attributes.asking.prompts import Picture
from papertables.base.files import file_digest
from papertables.data.images import as_rgb
from papertables.data.splits import Item, Split
from papertables.specs.language_models import LanguageModel
from papertables.specs.spec import digest


def images_of(split: Split, folder: Path, source: LanguageModel) -> dict[str, tuple[Picture, ...]]:
    """By class, a fixed draw of the training part. folder: that of the split's paths."""
    by_class: dict[str, list[Item]] = defaultdict(list)
    for item in split.train:
        by_class[item.name].append(item)
    shown, found = source.images, {}
    for name, items in by_class.items():
        drawn = Random(f"images {source.seed} {name}").sample(items, min(shown.per_class, len(items)))
        found[name] = tuple(_image(folder / item.path, shown.side) for item in drawn)
    return found


def _image(path: Path, side: int) -> Picture:
    with Image.open(path) as file:
        picture = as_rgb(file)
    picture.thumbnail((side, side), Image.Resampling.BICUBIC)
    data = BytesIO()
    picture.save(data, "JPEG", quality=90)
    return Picture(digest([file_digest(path), side], digits=32), data.getvalue())
