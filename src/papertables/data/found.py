"""Where the images of a data set are, or what is still to be done for them; told by names, without reading any."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from papertables.data import shared
from papertables.data.catalog import Archive, Dataset, File
from papertables.data.imagenet import lacks_classes
from papertables.data.splits import SUBSET
from papertables.data.unpack import BEGUN, note_of


class Found(NamedTuple):
    """``there``: in the raw folder, or linked from it. ``in place``: in a shared folder. ``archive``: to be unpacked
    from what lies here or there. ``fetch``: from public addresses. ``step``: the user has to bring it.

    where: these files. lists: the files that have to be fetched beside the images.
    """

    state: Literal["there", "in place", "archive", "fetch", "step"]
    where: tuple[Path, ...] = ()
    lists: tuple[str, ...] = ()


def find(dataset: Dataset, raw: Path, folders: Sequence[Path]) -> Found:
    """folders: those that are shared."""
    if (raw / SUBSET).exists():
        return Found("there", (raw / SUBSET,))
    if dataset.source.kind == "own":
        return Found("there", (raw,))
    images = _images(dataset, raw, folders)
    beside = [raw, *shared.file_places(dataset, folders)]
    lists = (file.name for file in _lists(dataset, raw, folders) if not shared.lying(file, beside))
    return images._replace(lists=tuple(lists))


def _images(dataset: Dataset, raw: Path, folders: Sequence[Path]) -> Found:
    by_hand = dataset.source.kind == "manual"
    ways = (dataset.source.archives,) if by_hand else dataset.source.ways
    missing = [place for place in dataset.places if not (raw / place).exists()]
    notes = [[_note(archive, raw) for archive in way] for way in ways]
    begun = any(note == BEGUN for way in notes for note in way)
    unpacked = any(way and None not in way for way in notes) and not begun
    if unpacked or (dataset.places and not missing and not begun):
        return Found("there", tuple(link.resolve() for link in shared.linked(dataset, raw)) or (raw,))
    elsewhere = shared.image_places(dataset, folders)
    if dataset.places and not begun and elsewhere.keys() >= {*missing}:
        return Found("in place", tuple(elsewhere[place] for place in missing))
    beside = [raw, *shared.file_places(dataset, folders)]
    for way in ways:
        wanted = [each for each in way if not by_hand or each.into in (".", *({*missing} - elsewhere.keys()))]
        lying = [next(iter(shared.lying(archive, beside)), None) for archive in wanted]
        if lying and all(lying):
            return Found("archive", tuple(lying))
    return Found("step" if by_hand else "fetch")


def _note(archive: Archive, raw: Path) -> bytes | None:
    note = note_of(archive, raw)
    return note.read_bytes() if note.exists() else None


def _lists(dataset: Dataset, raw: Path, folders: Sequence[Path]) -> list[File]:
    """The files that say which image is what."""
    found = [dataset.split.file] if dataset.split and dataset.split.file else []
    unsorted = dataset.source.unsorted if dataset.source.kind == "manual" else None
    if unsorted:
        images = raw / unsorted.folder
        images = images if images.exists() else shared.image_places(dataset, folders).get(unsorted.folder)
        found += [unsorted.labels] if images is None or lacks_classes(images) else []
    return found
