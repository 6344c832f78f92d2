"""Make a data set ready: a folder with ``split.json``, the images (or a link to them) and ``manifest.json``.

``split.json`` is CoOp's format: ``{"train": [[path, label, class name], …], "val": …, "test": …}``, paths
relative to the folder. Images that come as arrays are written as PNG files. The manifest holds a digest of the
split and of every image, one of the split alone, and where the split comes from, of a subset ``split_subset.json``.
``images.sha256`` keeps the digest of every image, to be compared when it is cached and, of the raw folder, when the set
is prepared the next time.
"""

import csv
import hashlib
import json
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from papertables.base.errors import UserError
from papertables.base.files import file_digest, full_disk, read_text, write_atomic
from papertables.base.seals import sealed_json
from papertables.data.catalog import Dataset, SplitRule, dataset
from papertables.data.download import BY_HAND, OWN_IMAGES, unverified
from papertables.data.imagenet import imagenet_classes, lacks_classes, validation_classes
from papertables.data.images import UnknownGreys, check_mode, damaged
from papertables.data.known_images import KNOWN, keep_known, read_known
from papertables.data.own import OwnDataset
from papertables.data.splits import PARTS, SUBSET, Item, Split, read_and_split, read_split

BATCH = 10_000  # images waiting for a thread at a time
AGAIN = "delete the folders of this data set and make it again"
REPLACE = "replace or remove it"  # of images that are the user's own


class DamagedImages(UserError):
    """Files of a raw folder that are missing or unreadable: what they were unpacked from may have them whole."""


def prepare(dataset_id: str, folder: Path, raw: Path, seed: int) -> dict:
    """Prepare a data set in ``folder`` and return its manifest.

    raw: what ``download.fetch`` filled; drawn sets do not look at it. seed: draws the images of a drawn set,
    and the split of a set that has no published one. Raises a UserError as ``verify`` does.
    """
    entry = dataset(dataset_id)
    with full_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if entry.source.kind == "drawn":
            from papertables.data.miniworld.targets import (
                draw_target,
            )  # what draws is not needed for real sets

            draw_target(dataset_id, folder, seed)
            made_by = f"drawn, seed {seed}"
        else:
            if has_subset(raw):
                _link(folder / "images", raw, ".")
                split, made_by = _published(raw / SUBSET), SUBSET
            elif isinstance(entry, OwnDataset):
                _link(folder / "images", raw, ".")
                split, made_by = entry.read(seed), entry.made_by(seed)
            elif entry.split.rule == "torchvision":
                split, made_by = _unpacked(entry, raw, folder / "images")
            else:
                _link(folder / "images", raw, entry.images)
                split, made_by = _split(entry, raw, seed)
            parts = {part: _moved(getattr(split, part)) for part in PARTS}
            write_atomic(folder / "split.json", json.dumps(parts, ensure_ascii=False).encode())
        return verify(folder, entry, made_by, [SUBSET] if has_subset(raw) else unverified(entry, raw))


def has_subset(raw: Path) -> bool:
    """Whether the user has put a part of a data set there, to be taken as it is: ``SUBSET`` in CoOp's format."""
    return (raw / SUBSET).exists()


def verify(folder: Path, entry: Dataset | OwnDataset, made_by: str, unverified: Sequence[str] = ()) -> dict:
    """Check a prepared folder against the catalog, write ``manifest.json`` and return what it holds.

    unverified: what the images came from that no checksum vouches for. Images from an archive are those that were
    published, and a scan that libjpeg complains of was published so; of others such a scan is refused. Raises a
    UserError where a count differs from the catalog (of a subset only that of classes) and where an image is not what
    it was when the set was last prepared here (a user's own may change), DamagedImages where one is missing or cannot
    be decoded.
    The digest is the SHA-256 of ``split.json`` and of the path and SHA-256 of every image, ordered by path.
    """
    (folder / "manifest.json").unlink(missing_ok=True)
    path = folder / "split.json"
    split = read_split(path)
    counts = {"classes": len(split.class_names)} | {part: len(getattr(split, part)) for part in PARTS}
    for name, found in counts.items():
        if made_by == SUBSET and name != "classes":
            continue
        expected = getattr(entry, name)
        if found != expected:
            unit = "classes" if name == "classes" else f"{name} images"
            raise UserError(f"{entry.id}: {path} lists {found} {unit}, the catalog expects {expected}: {AGAIN}")
    from_archives = not {SUBSET, BY_HAND, OWN_IMAGES} & {*unverified}
    digest, images = hashlib.sha256(path.read_bytes()), _hashed(folder, entry, split, checked=from_archives)
    for name, image in images.items():
        digest.update(f"{name}\0{image}\n".encode())
    stays = (folder / "images").is_symlink() and not isinstance(entry, OwnDataset)
    others = _unchanged(folder, entry, images) if stays else {}
    keep_known(folder, others | images)
    manifest = {
        "dataset": entry.id,
        "digest": digest.hexdigest(),
        "split": file_digest(path),
        "images": len(images),
        **counts,
        "made_by": made_by,
        **({"unverified": list(unverified)} if unverified else {}),
    }
    write_atomic(folder / "manifest.json", sealed_json(json.dumps(manifest, ensure_ascii=False)))
    return manifest


def _hashed(folder: Path, entry: Dataset | OwnDataset, split: Split, checked: bool) -> dict[str, str]:
    """The SHA-256 of every image of the split by its path, in order of the paths; UserError for one that is no image,
    and for a JPEG with a damaged scan unless the images are ``checked``."""
    names = sorted({item.path for part in PARTS for item in getattr(split, part)})
    found, mend = {}, REPLACE if isinstance(entry, OwnDataset) else AGAIN
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(names), BATCH):
            batch = names[start : start + BATCH]
            images = pool.map(lambda name: _check_image(folder / name, entry.id, mend), batch)
            found |= zip(batch, images, strict=True)
            bad = None if checked else damaged([folder / name for name in batch], pool)
            if bad:
                raise UserError(
                    f"{entry.id}: image {bad[0]} has a damaged scan ({bad[1]}): fetch it again, or save it anew with "
                    "an image program if it was published so"
                )
    return found


def _unchanged(folder: Path, entry: Dataset, images: dict[str, str]) -> dict[str, str]:
    """The digests that were kept of this set; UserError where some of its images have others now."""
    known = read_known(folder)
    changed = [name for name, image in images.items() if known.get(name, image) != image]
    if changed:
        more = f" and {len(changed) - 3:,} more" if changed[3:] else ""
        raise UserError(
            f"{entry.id}: {len(changed):,} of {len(images):,} images are not what they were when this set was last "
            f"prepared ({', '.join(changed[:3])}{more}): bring them back (what you delete comes from its archive, "
            f"where that lies in the raw folder), or delete {folder / KNOWN} to take them as they are"
        )
    return known


def _check_image(path: Path, id: str, mend: str) -> str:
    """The SHA-256 of an image that decodes to its end; JPEGs are decoded small, which reads every byte."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            with Image.open(file) as image:
                check_mode(image)
                image.draft("RGB", (64, 64))
                image.load()
    except FileNotFoundError as error:
        raise DamagedImages(f"{id}: image {path} is missing: {mend}") from error
    except UnknownGreys as error:
        raise UserError(f"{id}: image {path}: {error}") from None
    except Exception as error:  # decoders raise errors of many kinds on damaged files
        raise DamagedImages(f"{id}: image {path} is truncated or unreadable: {mend}") from error
    return digest


def _split(entry: Dataset, raw: Path, seed: int) -> tuple[Split, str]:
    """The split, with paths relative to the raw folder's images, and where it comes from."""
    rule, images = entry.split, raw / entry.images
    match rule.rule:
        case "file":
            return _published(raw / rule.file.name), rule.file.name
        case "fgvc_aircraft":
            return _fgvc_aircraft(images.parent), "images_variant_{train,val,test}.txt"
        case "imagenet":
            return _imagenet(images, raw / entry.source.unsorted.labels.name), "class folders, named as by CLIP"
        case "imagenet_test":
            return _imagenet_test(images), "class folders, named as by CLIP"
        case "gtsrb":
            return _gtsrb(images, rule, raw / "GT-final_test.csv"), "class folders and GT-final_test.csv"
        case "folders":
            if rule.use_if_present and (raw / rule.use_if_present).exists():
                return _published(raw / rule.use_if_present), rule.use_if_present
            parts = read_and_split(images, seed)
            return Split(*(tuple(parts[part]) for part in PARTS)), f"CoOp's procedure, seed {seed}"


def _published(path: Path) -> Split:
    try:
        return read_split(path)
    except UserError as error:
        raise UserError(f"{error}: delete this file and fetch the data set again") from error


def _moved(items: Sequence[Item]) -> list[Item]:
    return [item._replace(path=f"images/{item.path}") for item in items]


def _fgvc_aircraft(folder: Path) -> Split:
    """The lists beside the images: a line is an image and its variant; labels as variants are listed."""
    labels = {name: label for label, name in enumerate(_lines(folder / "variants.txt"))}
    parts = {}
    for part in PARTS:
        pairs = (line.split(" ", 1) for line in _lines(folder / f"images_variant_{part}.txt"))
        parts[part] = tuple(Item(f"{image}.jpg", labels[name], name) for image, name in pairs)
    return Split(**parts)


def _imagenet(images: Path, devkit: Path) -> Split:
    """Train on ``train``, test on ``val``, whose images may lie in one folder as they are published; classes in the
    order of their identifiers."""
    classes = imagenet_classes()
    train, flat = _class_folders(images, "train", classes), lacks_classes(images / "val")
    test = _validation(images, devkit, classes) if flat else _class_folders(images, "val", classes)
    return Split(train=tuple(train), val=(), test=tuple(test))


def _validation(images: Path, devkit: Path, classes: dict[str, str]) -> Iterator[Item]:
    """The images of ``images/val`` by the devkit's list, ordered and labelled as ``_class_folders`` does."""
    if not devkit.exists():
        raise UserError(
            f"{images / 'val'} has no folders of classes: put {devkit.name} from https://image-net.org at {devkit}, "
            "whose list has the class of each image, or put each image into a folder named as its class, "
            f"{next(iter(classes))} and so on"
        )
    known, by_class = validation_classes(devkit), defaultdict(list)
    for image in sorted(name for name in os.listdir(images / "val") if not name.startswith(".")):
        number = re.fullmatch(r"ILSVRC2012_val_(\d{8})\.JPEG", image)
        if not number or not 0 < int(number[1]) <= len(known):
            raise UserError(f"{images / 'val' / image} is no validation image of ImageNet: keep nothing else there")
        by_class[known[int(number[1]) - 1]].append(image)
    for label, name in enumerate(name for name in classes if name in by_class):
        yield from (Item(f"val/{image}", label, classes[name]) for image in by_class[name])


def _imagenet_test(images: Path) -> Split:
    """Test on all images of the classes that have a folder, labels from 0 in the order of ImageNet's classes.

    A folder is named by the class's identifier or by its place among ImageNet's classes. A split file may not lack a
    train part, so it repeats the first image of each class.
    """
    classes = imagenet_classes()
    if not any((images / name).is_dir() for name in classes):
        classes = {str(place): name for place, name in enumerate(classes.values())}
    test = tuple(_class_folders(images, ".", classes))
    first = {item.label: item for item in reversed(test)}
    return Split(train=tuple(first[label] for label in sorted(first)), val=(), test=test)


def _class_folders(images: Path, part: str, classes: dict[str, str]) -> Iterator[Item]:
    """The images of ``images/part``, a folder per class, ordered and labelled from 0 as ``classes`` has them."""
    folders = {path.name for path in (images / part).iterdir() if path.is_dir() and not path.name.startswith(".")}
    if not folders & classes.keys():
        first, *_, last = classes
        raise UserError(
            f"{images / part} has no folder of a class: put each image into a folder that is named as its class, "
            f"{first} to {last}"
        )
    if folders - classes.keys():
        stray = images / part / min(folders - classes.keys())
        raise UserError(f"{stray} is no class of ImageNet: keep nothing but class folders there")
    for label, folder in enumerate(name for name in classes if name in folders):
        for image in sorted(os.listdir(images / part / folder)):
            if not image.startswith("."):
                yield Item((Path(part) / folder / image).as_posix(), label, classes[folder])


def _gtsrb(images: Path, rule: SplitRule, labels: Path) -> Split:
    """Train on a folder per class, named by its label; the labels of the test images are a list apart."""
    train, names = [], rule.names
    for label, name in enumerate(names):
        folder = f"{rule.train}/{label:05}"
        if not (images / folder).is_dir():
            raise DamagedImages(f"{images / folder} is missing: {AGAIN}")
        files = sorted(path.name for path in (images / folder).glob("*.ppm"))
        train += [Item(f"{folder}/{file}", label, name) for file in files]
    rows = [(row["Filename"], int(row["ClassId"])) for row in csv.DictReader(_lines(labels), delimiter=";")]
    test = [Item(f"Final_Test/Images/{file}", label, names[label]) for file, label in rows]
    return Split(train=tuple(train), val=(), test=tuple(test))


def _unpacked(entry: Dataset, raw: Path, images: Path) -> tuple[Split, str]:
    """Write what torchvision reads from arrays as ``images/<part>/<number>.png``.

    Returns the split, with paths relative to ``images``, and where it comes from. The folder appears when it
    is complete; what an earlier, unfinished run wrote is written again.
    """
    reader, begun = entry.split.reader, images.with_name("images.part")
    shutil.rmtree(begun, ignore_errors=True)
    train = _png_files(entry, raw, begun / "train", reader.train)
    test = _png_files(entry, raw, begun / "test", reader.test)
    if images.is_symlink():
        images.unlink()
    elif images.exists():
        shutil.rmtree(images)
    begun.rename(images)
    return Split(train, (), test), f"torchvision.datasets.{reader.class_name}"


def _png_files(entry: Dataset, raw: Path, folder: Path, arguments: dict[str, str | bool]) -> tuple[Item, ...]:
    import torchvision  # slow to import, and only these sets need it

    try:
        reader = getattr(torchvision.datasets, entry.split.reader.class_name)
        data = (reader if entry.split.reader.checked else _unchecked(reader))(raw, **arguments)
    except (OSError, RuntimeError) as error:
        raise DamagedImages(f"{entry.id}: the files in {raw} are missing or altered: {AGAIN}") from error
    names = entry.split.names or data.classes
    folder.mkdir(parents=True)

    def save(index: int) -> Item:
        image, label = data[index]
        image.save(folder / f"{index:05}.png")
        return Item(f"{folder.name}/{index:05}.png", int(label), names[label])

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return tuple(pool.map(save, range(len(data))))


def _unchecked(reader: type) -> type:
    """The class of torchvision without its comparison of files with checksums."""
    meta = getattr(reader, "meta", {}) | {"md5": None}
    return type(reader.__name__, (reader,), {"_check_integrity": lambda _: True, "meta": meta})


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in read_text(path).splitlines() if line.strip()]
    except FileNotFoundError as error:
        raise DamagedImages(f"{path} is missing: {AGAIN}") from error


def _link(link: Path, raw: Path, images: str) -> None:
    """A relative link to the raw images, so that a data folder can be moved as a whole."""
    if not (raw / images).is_dir():
        raise DamagedImages(f"the images are not at {raw / images}: {AGAIN}")
    if link.is_symlink():
        link.unlink()
    elif link.exists():
        raise UserError(f"{link} is in the way of a link to the raw images: move or delete it")
    link.symlink_to(os.path.relpath(raw.resolve() / images, link.parent.resolve()), target_is_directory=True)
