"""What lies in folders that a lab shares, in CoOp's layout, torchvision's or ours: used where it is, never written to.

The raw folder of a data set gets links to images and archives that lie there. Whatever is written goes into the raw
folder, beside these links or in their place.
"""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from papertables.base.files import own_part
from papertables.data.catalog import Archive, Dataset


def image_places(dataset: Dataset, folders: Sequence[Path]) -> dict[str, Path]:
    """By place of the raw folder, where else that lies, for those that some shared folder has."""
    found = {}
    for place, others in dataset.places.items():
        below = (f"{dataset.id}/{place}", *others)
        lying = (folder / each for folder in folders for each in below)
        first = next(filter(_holds_something, lying), None)
        found |= {place: first.absolute()} if first else {}
    return found


def link_images(dataset: Dataset, raw: Path, folders: Sequence[Path]) -> bool:
    """Links what the raw folder lacks and a shared folder has; whether it then holds all."""
    for place, path in image_places(dataset, folders).items():
        ours = (raw / place).parent.resolve().is_relative_to(raw.resolve())
        if ours and not (raw / place).exists():
            print(f"{dataset.id}: {place} is used where it lies, at {path}", flush=True)
            _link(raw / place, path)
    return bool(dataset.places) and all((raw / place).exists() for place in dataset.places)


def linked(dataset: Dataset, raw: Path) -> list[Path]:
    """The links of a raw folder to images that lie elsewhere."""
    return [raw / place for place in dataset.places if (raw / place).is_symlink()]


def file_places(dataset: Dataset, folders: Iterable[Path]) -> list[Path]:
    """Where the archives of a data set and its split file may lie."""
    own = {PurePosixPath(place).parts[0] for places in dataset.places.values() for place in places}
    return [folder / below for folder in folders for below in (".", dataset.id, *sorted(own))]


def lying(archive: Archive, folders: Iterable[Path]) -> list[Path]:
    """The files that are called as an archive or as one of its addresses; nothing says yet that they are it."""
    paths = (folder / name for folder in folders for name in archive.names)
    return [path.absolute() for path in paths if os.path.isfile(path)]


def link_file(archive: Archive, path: Path, folders: Iterable[Path]) -> bool:
    """Links ``path`` to the first file that is the archive; False where none is."""
    for found in lying(archive, folders):
        if archive.fits(found):
            print(f"{path.name} is used where it lies, at {found}", flush=True)
            _link(path, found)
            return True
        print(f"{found} is passed over: its checksum is not {archive.known_hash}", flush=True)
    return False


def open_link(path: Path) -> None:
    """A folder of ours in the place of a link to one, with links to all that it has; nothing where it is no link."""
    if not path.is_symlink():
        return
    beside = own_part(path)
    beside.mkdir()
    for each in path.resolve().iterdir():
        (beside / each.name).symlink_to(each)
    path.unlink()
    beside.rename(path)


def _link(path: Path, target: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # a link to what is gone, or to a file that was altered
    path.symlink_to(target)


def _holds_something(path: Path) -> bool:
    with suppress(OSError):  # nothing is there, or nothing that may be read
        return path.is_file() or any(path.iterdir())
    return False
