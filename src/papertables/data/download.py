"""Bring the raw files of a data set to a folder: checked, resumed, unpacked, and never twice."""

import errno
import os
import shutil
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import pooch
import requests

from papertables.base.errors import UserError
from papertables.data.catalog import Archive, Dataset, File, HuggingFace, Manual, Torchvision, Url

ATTEMPTS = 4  # per address; what has arrived is kept between them
TIMEOUT = 60  # seconds without a byte
CHUNK = 1 << 18  # bytes
DISK_ERRORS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your quota is used up",
    errno.EACCES: "you may not write there",
    errno.EROFS: "the disk is read-only",
}


def fetch(dataset: Dataset, folder: Path) -> None:
    """Make ``folder`` hold the raw images of a data set and its split file; do nothing where it does.

    Archives stay beside what was unpacked from them. A download that was cut off goes on where it stopped.
    Raises a UserError for a step that only the user can take, for a file that is missing, truncated or
    altered, and for a full disk.
    """
    with disk_errors(folder):
        if dataset.source.kind != "drawn":
            folder.mkdir(parents=True, exist_ok=True)
            _images(dataset, folder)
        if dataset.split and dataset.split.file:
            download(dataset.split.file, folder)


@contextmanager
def disk_errors(folder: Path):
    """Turn a full disk, an exhausted quota and a folder that cannot be written into a UserError."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_ERRORS:
            raise UserError(
                f"cannot write to {folder}, {DISK_ERRORS[error.errno]}: "
                "mend that or choose another data folder, then run again"
            ) from error
        raise


def _images(dataset: Dataset, folder: Path) -> None:
    source = dataset.source
    match source.kind:
        case "url":
            for file in source.files:
                _once(dataset, file, folder, partial(download, file, folder))
        case "huggingface":
            for file in source.files:
                _once(dataset, file, folder, partial(_from_hub, source, file, folder))
        case "torchvision":
            done = Archive(name=source.class_name)
            _once(dataset, done, folder, partial(_from_torchvision, source, folder))
        case "manual":
            _from_user(dataset, source, folder)


def _once(dataset: Dataset, archive: Archive, folder: Path, bring: Callable[[], None]) -> None:
    """Bring and unpack an archive unless a note in the folder says that this very one was."""
    if _is_done(archive, folder):
        return
    note = _note(archive, folder)
    _room(dataset, folder)
    bring()
    if archive.format:
        note.write_text("unpacking", "utf-8")
        unpack(folder / archive.name, folder, archive.format)
        for inner in archive.inner:
            unpack(folder / inner, folder, "tar")
    note.write_text(_content(archive), "utf-8")


def archives_checked(dataset: Dataset, folder: Path) -> bool:
    """Whether all that the raw images were unpacked from had a known checksum."""
    match dataset.source:
        case Url(files=archives) | HuggingFace(files=archives) | Manual(archives=archives):
            return bool(archives) and all(archive.known_hash and _is_done(archive, folder) for archive in archives)
    return False


def _is_done(archive: Archive, folder: Path) -> bool:
    """Whether a note says that this very archive was brought and unpacked."""
    note = _note(archive, folder)
    return note.exists() and note.read_text("utf-8") == _content(archive)


def _content(archive: Archive) -> str:
    """What the note says of it."""
    return archive.known_hash or "no checksum known"


def _note(archive: Archive, folder: Path) -> Path:
    return folder / f".{archive.name}.done"


def download(file: File, folder: Path) -> None:
    """Download a file from the first address that has it, and check it; a good one in place is kept."""
    path, problem = folder / file.name, None
    for url in file.urls:
        get = partial(_get, part=folder / f"{file.name}.part", resume=file.known_hash is not None)
        try:
            pooch.retrieve(url, known_hash=file.known_hash, fname=file.name, path=folder, downloader=get)
            return
        except requests.RequestException as error:
            problem = f"cannot download {url} ({_reason(error)})"
        except FileNotFoundError:
            problem = f"there is no file {url}"
        except ValueError:
            problem = f"what {url} sends is altered or truncated: its checksum is not {file.known_hash}"
    raise UserError(f"{problem}: try again later, or bring {file.name} from elsewhere and put it at {path}")


def _get(url: str, target: str, _pooch, *, part: Path, resume: bool) -> None:
    """Download to ``target`` by way of ``part``, which outlives a broken connection."""
    if url.startswith("file://"):
        shutil.copyfile(url2pathname(urlparse(url).path), target)
        return
    if not resume:  # without a checksum nothing would tell that two versions were glued together
        part.unlink(missing_ok=True)
    for attempt in range(ATTEMPTS):
        try:
            _append(url, part)
            break
        except requests.RequestException as error:
            refused = error.response is not None and error.response.status_code < 500
            if refused or attempt == ATTEMPTS - 1:
                raise
            time.sleep(2**attempt / 4)
    os.replace(part, target)


def _append(url: str, part: Path) -> None:
    """Ask for the bytes that ``part`` lacks, and add them."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:  # nothing is lacking
            return
        response.raise_for_status()
        more = response.status_code == requests.codes.partial_content
        with part.open("ab" if more else "wb") as file:
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)


def _reason(error: requests.RequestException) -> str:
    if error.response is not None:
        return f"HTTP status {error.response.status_code}"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection ends before the file does"
    return "no connection"


def _room(dataset: Dataset, folder: Path) -> None:
    """Refuse to start what cannot fit: an archive and its contents, less what has arrived."""
    arrived = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    need, free = 2 * (dataset.bytes or 0) - arrived, shutil.disk_usage(folder).free
    if need > free:
        raise UserError(
            f"{dataset.id} needs about {need / 1e9:.1f} GB and {folder} has {free / 1e9:.1f} GB left: "
            "free some space or choose another data folder"
        )


def _from_hub(source: HuggingFace, file: Archive, folder: Path) -> None:
    import huggingface_hub

    path = folder / file.name
    if not (path.exists() and _intact(file, path)):
        try:
            huggingface_hub.hf_hub_download(
                source.repo, file.name, repo_type="dataset", revision=source.revision, local_dir=folder
            )
        except Exception as error:  # the hub's client raises its own, httpx's and the system's errors
            if isinstance(error, OSError) and error.errno in DISK_ERRORS:
                raise
            raise UserError(
                f"cannot download {file.name} from huggingface.co/datasets/{source.repo} "
                f"({type(error).__name__}): try again later, or bring it from elsewhere and put it at {path}"
            ) from error
    _check(file, path)


def _from_torchvision(source: Torchvision, folder: Path) -> None:
    import torchvision

    try:
        getattr(torchvision.datasets, source.class_name)(root=folder, download=True, **source.kwargs)
    except (OSError, RuntimeError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            raise
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"torchvision cannot download {source.class_name} ({reason}): delete {folder} and run again"
        ) from error


def _from_user(dataset: Dataset, source: Manual, folder: Path) -> None:
    """See that what the user was to bring is there, after unpacking the archives among it."""

    def missing() -> list[str]:
        return [need for need in source.needs if not (folder / need).exists()]

    for archive in source.archives:
        begun = _note(archive, folder).exists()  # what is there may then be half of it
        if (folder / archive.name).exists() and (begun or missing()):
            _once(dataset, archive, folder, partial(_check, archive, folder / archive.name))
    if missing():
        raise UserError(
            f"{dataset.id} needs a step of yours: {source.step}; put it into {folder} (missing: {', '.join(missing())})"
        )


def _intact(archive: Archive, path: Path) -> bool:
    if archive.known_hash is None:
        return True
    algorithm, expected = archive.known_hash.split(":")
    return pooch.file_hash(str(path), alg=algorithm) == expected


def _check(archive: Archive, path: Path) -> None:
    if not _intact(archive, path):
        raise UserError(
            f"{path} is altered or truncated, its checksum is not {archive.known_hash}: delete it and run again"
        )


def unpack(path: Path, folder: Path, format: str) -> None:
    """Unpack an archive; a UserError where it is damaged or holds a path that leaves the folder."""
    try:
        if format == "tar":
            with tarfile.open(path) as archive:
                archive.extractall(folder, filter="data")
        else:
            with zipfile.ZipFile(path) as archive:
                _stay_inside(archive, folder)
                archive.extractall(folder)
    except tarfile.FilterError as error:
        raise UserError(f"{path} holds a path that leaves its folder: do not use this file") from error
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise UserError(f"{path} is truncated or no {format} archive: delete it and run again") from error


def _stay_inside(archive: zipfile.ZipFile, folder: Path) -> None:
    root = folder.resolve()
    for name in archive.namelist():
        if not (root / name).resolve().is_relative_to(root):
            raise tarfile.OutsideDestinationError(tarfile.TarInfo(name), str(root / name))
