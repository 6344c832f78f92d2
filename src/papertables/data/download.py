"""Bring the raw files of a data set to a folder: checked, resumed, unpacked, and never twice."""

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from shutil import disk_usage

from papertables.base.errors import UserError
from papertables.base.files import full_disk, orphans, own_part, read_text, write_atomic
from papertables.data.catalog import Archive, Dataset, File, Manual, Url
from papertables.data.transfer import DIRECT, Network, NotThere, arrive
from papertables.data.unpack import DamagedArchive, unpack

UNKNOWN = "no checksum known"
BY_HAND = "what you unpacked"


class Unavailable(UserError):
    """A file that none of its addresses gives. tried: its name and its addresses, each with the reason."""

    def __init__(self, path: Path, reasons: Sequence[str]):
        self.tried = f"{path.name}: {'; '.join(reasons) or 'no address is known'}"
        super().__init__(
            f"cannot download {self.tried}: try again later, or bring {path.name} from elsewhere and put it at {path}"
        )


def fetch(dataset: Dataset, folder: Path, network: Network = DIRECT) -> None:
    """Make ``folder`` hold the raw images of a data set and its split file; do nothing where it does.

    Archives stay beside what was unpacked from them, and files that are gone come from them again. A download that was
    cut off goes on where it stopped. Raises a UserError for a step that only the user can take, for a file that no
    address gives unaltered, and for a full disk.
    """
    with full_disk(folder):
        if dataset.source.kind != "drawn":
            folder.mkdir(parents=True, exist_ok=True)
        match dataset.source:
            case Url() as source if not _way_taken(source, folder):
                _by_some_way(dataset, source, folder, network)
            case Manual() as source:
                _from_user(dataset, source, folder)
        if dataset.split and dataset.split.file:
            download(dataset.split.file, folder, network)


def heal(dataset: Dataset, folder: Path, network: Network = DIRECT) -> bool:
    """Unpack again what the images came from, for some of them are damaged; False where no archive is known."""
    with full_disk(folder):
        for archive in _archives(dataset, folder):
            _unpack_once(archive, folder, network, anew=True)
        return bool(_archives(dataset, folder))


def unverified(dataset: Dataset, folder: Path) -> list[str]:
    """The archives without a known checksum that the raw images came from; ``BY_HAND`` if they came from none."""
    if dataset.source.kind == "drawn":
        return []
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


def _way_taken(source: Url, folder: Path) -> bool:
    """Whether the images are there, by one of the ways or unpacked by the user."""
    begun = [_note(file, folder).exists() for way in source.ways for file in way]
    unpacked = source.needs and all((folder / need).exists() for need in source.needs) and not any(begun)
    return bool(unpacked) or any(all(_is_done(file, folder) for file in way) for way in source.ways)


def _by_some_way(dataset: Dataset, source: Url, folder: Path, network: Network) -> None:
    """Bring and unpack the archives of the first way that gives them all; first of one whose archives lie here."""
    _room(dataset, folder)
    failed: list[Unavailable] = []
    for way in sorted(source.ways, key=lambda way: not all((folder / file.name).exists() for file in way)):
        try:
            for file in way:
                _unpack_once(file, folder, network)
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


def _unpack_once(archive: Archive, folder: Path, network: Network, anew: bool = False) -> None:
    """Bring and unpack an archive unless a note in the folder says that this very one was."""
    if _is_done(archive, folder) and not anew:
        return
    note, path = _note(archive, folder), folder / archive.name
    _bring(archive, folder, network)
    names = [archive.name]
    if archive.format:
        write_atomic(note, b"unpacking")
        try:
            names = unpack(archive, folder)
        except DamagedArchive:
            if archive.known_hash or not isinstance(archive, File):
                raise
            path.unlink()
            _bring(archive, folder, network)
            names = unpack(archive, folder)
    write_atomic(note, "\n".join([archive.known_hash or UNKNOWN, *names]).encode())


def _bring(archive: Archive, folder: Path, network: Network) -> None:
    if isinstance(archive, File):
        download(archive, folder, network)
    elif not _intact(archive, folder / archive.name):
        raise UserError(
            f"{folder / archive.name} is altered or truncated, its checksum is not {archive.known_hash}: delete it and "
            "run again"
        )


def _is_done(archive: Archive, folder: Path) -> bool:
    """Whether a note says that this very archive was unpacked, and all files that it had are there."""
    note = _note(archive, folder)
    if not note.exists():
        return False
    content, *names = read_text(note).split("\n")
    return content in (archive.hashes or (UNKNOWN,)) and all((folder / name).exists() for name in names)


def _note(archive: Archive, folder: Path) -> Path:
    return folder / f".{archive.name}.done"


def download(file: File, folder: Path, network: Network = DIRECT) -> None:
    """Download a file from the first address that has it, and check it; a good one in place is kept. Raises
    Unavailable, which names every address and why it failed."""
    path, tried = folder / file.name, []
    with full_disk(folder):
        if path.exists() and _intact(file, path):
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
    if resumed and not _intact(file, part):
        part.unlink()
        arrive(url, part, patience)
    if not _intact(file, part):
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


def _from_user(dataset: Dataset, source: Manual, folder: Path) -> None:
    """See that what the user was to bring is there, after unpacking the archives among it."""

    def missing() -> list[str]:
        return [need for need in source.needs if not (folder / need).exists()]

    for archive in source.archives:
        begun = _note(archive, folder).exists()  # what is there may then be half of it
        if (folder / archive.name).exists() and (begun or missing()):
            _unpack_once(archive, folder, DIRECT)
    if missing():
        raise UserError(
            f"{dataset.id} needs a step of yours: {source.step}; put it into {folder} (missing: {', '.join(missing())})"
        )


def _intact(archive: Archive, path: Path) -> bool:
    """Whether the file has the checksum that is known of it; True where none is."""
    if archive.known_hash is None:
        return True
    algorithm, expected = archive.known_hash.split(":")
    with path.open("rb") as file:
        if algorithm == "git":  # of a blob: its kind and size come before the content
            digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size)
            digest.update(file.read())
        else:
            digest = hashlib.file_digest(file, algorithm)
    return digest.hexdigest().startswith(expected)
