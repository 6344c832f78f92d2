"""Bring the raw files of a data set to a folder: checked, resumed, unpacked, and never twice."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from shutil import disk_usage

from papertables.base.errors import UserError
from papertables.base.files import full_disk, orphans, own_part, read_text, write_atomic
from papertables.data import shared
from papertables.data.catalog import Archive, Dataset, File, Manual, Url
from papertables.data.imagenet import lacks_classes
from papertables.data.transfer import DIRECT, Network, NotThere, arrive
from papertables.data.unpack import BEGUN, DamagedArchive, note_of, unpack

UNKNOWN = "no checksum known"
BY_HAND = "what you unpacked"
IN_PLACE = "what a shared folder has"
OWN_IMAGES = "images of your own"


class Unavailable(UserError):
    """A file that none of its addresses gives. tried: its name and its addresses, each with the reason."""

    def __init__(self, path: Path, reasons: Sequence[str]):
        self.tried = f"{path.name}: {'; '.join(reasons) or 'no address is known'}"
        super().__init__(
            f"cannot download {self.tried}: try again later, or bring {path.name} from elsewhere and put it at {path}"
        )


def fetch(dataset: Dataset, folder: Path, network: Network = DIRECT) -> None:
    """Make ``folder`` hold the raw images of a data set and its split file; do nothing where it does.

    What a shared folder has is linked. Archives stay beside what was unpacked from them, and files that are gone come
    from them again. A download that was cut off goes on where it stopped. Raises a UserError for a step that only the
    user can take, for a file that no address gives unaltered, and for a full disk.
    """
    with full_disk(folder):
        if dataset.source.kind not in ("drawn", "own"):
            folder.mkdir(parents=True, exist_ok=True)
        match dataset.source:
            case Url() as source if not _there(dataset, source, folder, network):
                _by_some_way(dataset, source, folder, network)
            case Manual() as source:
                _from_user(dataset, source, folder, network)
        if dataset.split and dataset.split.file:
            download(dataset.split.file, folder, network, shared.file_places(dataset, network.shared))


def heal(dataset: Dataset, folder: Path, network: Network = DIRECT) -> bool:
    """Unpack again what the images came from, for some of them are damaged; fetch those of which a shared folder has no
    good ones. False where no archive is known."""
    with full_disk(folder):
        if isinstance(dataset.source, Url) and (links := shared.linked(dataset, folder)):
            for link in links:
                link.unlink()
            _by_some_way(dataset, dataset.source, folder, network)
            return True
        for archive in _archives(dataset, folder):
            _unpack_once(archive, folder, network, anew=True)
        return bool(_archives(dataset, folder))


def unverified(dataset: Dataset, folder: Path) -> list[str]:
    """The archives without a known checksum that the raw images came from; if from none ``IN_PLACE``, ``BY_HAND`` or
    ``OWN_IMAGES``."""
    if dataset.source.kind == "drawn":
        return []
    if dataset.source.kind == "own":
        return [OWN_IMAGES]
    if shared.linked(dataset, folder):
        return [IN_PLACE]
    archives = _archives(dataset, folder)
    return [archive.name for archive in archives if not archive.known_hash] if archives else [BY_HAND]


def _archives(dataset: Dataset, folder: Path) -> Sequence[Archive]:
    """What the raw images were unpacked from, as far as notes in the folder tell."""
    match dataset.source:
        case Url(ways=ways):
            return next((way for way in ways if all(_is_done(file, folder) for file in way)), ())
        case Manual(archives=archives):
            return archives if all(_is_done(archive, folder) for archive in archives) else ()
    return ()


def _there(dataset: Dataset, source: Url, folder: Path, network: Network) -> bool:
    """Whether the images are there: from archives, unpacked by the user or in a shared folder."""
    if any(all(_is_done(file, folder) for file in way) for way in source.ways):
        return True
    if any(note_of(file, folder).exists() for way in source.ways for file in way):
        ours = {folder / place for place in dataset.places} - {*shared.linked(dataset, folder)}
        if any(place.exists() for place in ours):  # but some of it is not
            return False
    return shared.link_images(dataset, folder, network.shared)


def _by_some_way(dataset: Dataset, source: Url, folder: Path, network: Network) -> None:
    """Bring and unpack the archives of the first way that gives them all; first of one whose archives lie here or in a
    shared folder."""
    _room(dataset, folder)
    failed: list[Unavailable] = []
    beside = shared.file_places(dataset, network.shared)

    def lacking(way: Sequence[File]) -> bool:
        return not all((folder / file.name).exists() or shared.lying(file, beside) for file in way)

    for way in sorted(source.ways, key=lacking):
        try:
            for file in way:
                _unpack_once(file, folder, network, beside)
            _forget_parts(source, folder)
            return
        except Unavailable as error:
            failed.append(error)
    if len(failed) == 1:
        raise failed[0]
    tried = ", nor ".join(error.tried for error in failed)
    raise UserError(
        f"cannot download {dataset.id}, neither {tried}: try again later, or bring one of these archives from "
        f"elsewhere and put it into {folder}"
    )


def _forget_parts(source: Url, folder: Path) -> None:
    """Remove what had arrived of archives that are not needed any more."""
    for path in (folder / file.name for way in source.ways for file in way):
        for part in (own_part(path), *orphans(path)):
            part.unlink(missing_ok=True)


def _unpack_once(
    archive: Archive, folder: Path, network: Network = DIRECT, beside: Sequence[Path] = (), anew: bool = False
) -> None:
    """Bring and unpack an archive unless a note in the folder says that this very one was."""
    if _is_done(archive, folder) and not anew:
        return
    note, path = note_of(archive, folder), folder / archive.name
    _bring(archive, folder, network, beside)
    names = [archive.name]
    if archive.format:
        write_atomic(note, BEGUN)
        try:
            names = unpack(archive, folder)
        except DamagedArchive:
            if archive.known_hash or not isinstance(archive, File):
                raise
            path.unlink()
            _bring(archive, folder, network)
            names = unpack(archive, folder)
    write_atomic(note, "\n".join([archive.known_hash or UNKNOWN, *names]).encode())


def _bring(archive: Archive, folder: Path, network: Network, beside: Sequence[Path] = ()) -> None:
    if isinstance(archive, File):
        download(archive, folder, network, beside)
    elif not archive.fits(folder / archive.name):
        raise UserError(
            f"{folder / archive.name} is altered or truncated, its checksum is not {archive.known_hash}: delete it and "
            "run again"
        )


def _is_done(archive: Archive, folder: Path) -> bool:
    """Whether a note says that this very archive was unpacked, and all files that it had are there."""
    note = note_of(archive, folder)
    if not note.exists():
        return False
    content, *names = read_text(note).split("\n")
    return content in (archive.hashes or (UNKNOWN,)) and all((folder / name).exists() for name in names)


def download(file: File, folder: Path, network: Network = DIRECT, beside: Sequence[Path] = ()) -> None:
    """Download a file from the first address that has it, and check it; a good one in place is kept, and one in the
    folders ``beside`` linked. Raises Unavailable, which names every address and why it failed."""
    path, tried = folder / file.name, []
    with full_disk(folder):
        if (path.exists() and file.fits(path)) or shared.link_file(file, path, beside):
            return
        for url in map(network.address, file.urls):
            try:
                return _from_address(url, file, path, network.patience)
            except NotThere as error:
                tried.append(f"{url} ({error})")
    raise Unavailable(path, [*(["what lies there is altered or truncated"] if path.exists() else []), *tried])


def _from_address(url: str, file: File, path: Path, patience: float) -> None:
    """Download by way of a part of this process's own, which goes on where a process that was killed left its part."""
    part = own_part(path)
    for orphan in orphans(path):
        with suppress(FileNotFoundError):  # another process has taken it up
            orphan.unlink() if part.exists() else orphan.rename(part)
    if not file.known_hash:  # nothing would tell that two versions were glued together
        part.unlink(missing_ok=True)
    resumed = part.exists()
    arrive(url, part, patience)
    if resumed and not file.fits(part):
        part.unlink()
        arrive(url, part, patience)
    if not file.fits(part):
        part.unlink()
        raise NotThere(f"what it sends is altered or truncated, its checksum is not {file.known_hash}")
    with part.open("rb+") as whole:
        os.fsync(whole.fileno())
    part.replace(path)


def _room(dataset: Dataset, folder: Path) -> None:
    """Refuse to start what cannot fit: an archive and its contents, less what has arrived."""
    arrived = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    need, free = 2 * (dataset.bytes or 0) - arrived, disk_usage(folder).free
    if need > free:
        raise UserError(
            f"{dataset.id} needs about {need / 1e9:.1f} GB and {folder} has {free / 1e9:.1f} GB left: "
            "free some space or choose another data folder"
        )


def _from_user(dataset: Dataset, source: Manual, folder: Path, network: Network) -> None:
    """See that what the user was to bring is there or in a shared folder, after unpacking the archives among it."""

    def missing() -> list[str]:
        return [place for place in dataset.places if not (folder / place).exists()]

    shared.link_images(dataset, folder, network.shared)
    beside = shared.file_places(dataset, network.shared)
    for archive in source.archives:
        begun = note_of(archive, folder).exists()  # what is there may then be half of it
        if begun or any(archive.into in (".", place) for place in missing()):
            path = folder / archive.name
            if path.exists() or shared.link_file(archive, path, beside):
                _unpack_once(archive, folder)
    if missing():
        raise UserError(
            f"{dataset.id} needs a step of yours: {source.step}; put it into {folder} (missing: {', '.join(missing())})"
        )
    for place in dataset.places:
        _unpack_classes(folder / place)
    if source.unsorted and lacks_classes(folder / source.unsorted.folder):
        download(source.unsorted.labels, folder, network, beside)


def _unpack_classes(folder: Path) -> None:
    """Unpack the archives of single classes that lie in a folder, each to a folder of its name beside it."""
    for path in sorted(folder.glob("n[0-9]*.tar")):
        archive = Archive(name=path.name, format="tar", into=path.stem)
        if note_of(archive, folder).exists() or not (folder / archive.into).is_dir():
            shared.open_link(folder)
            _unpack_once(archive, folder)
