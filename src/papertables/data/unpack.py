"""Unpack archives so that a file is either whole or not there, whoever else unpacks them at the same time."""

import gzip
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from papertables.base.errors import UserError
from papertables.base.files import orphans, own_part
from papertables.data.catalog import Archive

Member = TypeVar("Member")
BEGUN = b"unpacking"  # in the note of an archive, until it is unpacked


class DamagedArchive(UserError):
    """An archive that ends early or is none."""


def note_of(archive: Archive, folder: Path) -> Path:
    """Where it stands how far an archive is unpacked."""
    return folder / f".{archive.name}.done"


def unpack(archive: Archive, folder: Path) -> list[str]:
    """Unpack an archive that lies in ``folder``, and those inside it; return the paths of its files below that.

    It is unpacked beside, and each file moved to its place, which becomes ours where it was a link. What an unpacking
    left behind that was killed is removed. Raises DamagedArchive, and a UserError where the archive holds a path that
    leaves the folder.
    """
    beside = folder / f".{archive.name}"
    for orphan in orphans(beside):
        shutil.rmtree(orphan, ignore_errors=True)
    stage = own_part(beside)
    shutil.rmtree(stage, ignore_errors=True)
    try:
        _extract(folder / archive.name, stage, archive.format)
        for inner in archive.inner:
            _extract(stage / inner, stage, "tar")
        for inner in [*stage.glob("*.tar")] if archive.nested else ():
            _extract(inner, stage / inner.stem, "tar")
            inner.unlink()
        root, into = _top(stage) if archive.wrapped else stage, folder / archive.into
        names = [(Path(archive.into) / path.relative_to(root)).as_posix() for path in root.rglob("*") if path.is_file()]
        _own(folder, into)
        _move(root, into)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return names


def _extract(path: Path, folder: Path, format: str) -> None:
    try:
        folder.mkdir(exist_ok=True)
        if format == "tar":
            with tarfile.open(path) as archive:
                archive.extractall(folder, _at_work(archive, folder), filter="data")
        else:
            with zipfile.ZipFile(path) as archive:
                _stay_inside(archive, folder)
                archive.extractall(folder, _at_work(archive.namelist(), folder))
    except tarfile.FilterError as error:
        raise UserError(f"{path} holds a path that leaves its folder: do not use this file") from error
    except (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DamagedArchive(f"{path} is truncated or no {format} archive: delete it and run again") from error


def _top(folder: Path) -> Path:
    """The folder inside that holds everything, or this one; what macOS adds to archives counts nothing."""
    inside = [path for path in folder.iterdir() if path.name != "__MACOSX" and not path.name.startswith(".")]
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


def _at_work(members: Iterable[Member], folder: Path) -> Iterator[Member]:
    """The members one by one; the folder's time tells other machines that somebody is at work here."""
    for member in members:
        os.utime(folder)
        yield member


def _stay_inside(archive: zipfile.ZipFile, folder: Path) -> None:
    root = folder.resolve()
    for name in archive.namelist():
        if not (root / name).resolve().is_relative_to(root):
            raise tarfile.OutsideDestinationError(tarfile.TarInfo(name), str(root / name))


def _own(folder: Path, into: Path) -> None:
    """Removes links on the way from one folder to another below, so that nothing is moved to where they lead."""
    for path in (into, *into.parents):
        if path == folder:
            return
        if path.is_symlink():
            path.unlink()


def _move(source: Path, target: Path) -> None:
    """Moves a folder's contents to where another may have moved the same; whole folders where there is none yet."""
    target.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        place = target / path.name
        if place.is_symlink():
            place.unlink()
        if path.is_dir():
            try:
                path.rename(place)
            except OSError:  # it is there
                _move(path, place)
        else:
            path.replace(place)
