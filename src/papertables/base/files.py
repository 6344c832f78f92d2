"""Files that are read in one way, and written so that they are either whole or not there."""

import codecs
import errno
import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from glob import escape
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import JsonValue

from papertables.base.errors import UserError

T = TypeVar("T")
HOST = platform.node().partition(".")[0][:32]
FORGOTTEN = 2 * 3600.0  # seconds after which a part is nobody's, wherever its process ran
FULL = {  # what a disk that takes no more says, and the mend
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "your quota is used up: free some space",
    errno.EFBIG: "a file would be larger than it may be here: raise the limit (ulimit -f)",
}
GO_ON = " and start again, what is finished is kept"
NO_PLACE = FULL | {
    errno.EACCES: "you may not write there: mend that or choose another folder",
    errno.EROFS: "the disk is read-only: choose another folder",
}
YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the former, in C, is ten times as fast


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, whatever the locale, without a byte-order mark; raises UserError where its bytes are
    another encoding's, FileNotFoundError where there is no such file."""
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        where = f"byte {content[error.start]:#04x} in line {line}"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        where = "it begins as UTF-16 does"
    raise UserError(f"{path}: not UTF-8 ({where}): save it as UTF-8")


def read_json(path: Path) -> JsonValue:
    """What a JSON file holds; raises UserError where it holds none, and for a key that stands twice in one object, of
    which only the last would count."""

    def once(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
        found = {}
        for key, value in pairs:
            if key in found:
                raise UserError(f"{path}: '{key}' stands twice: keep one of them")
            found[key] = value
        return found

    try:
        return json.loads(read_text(path), object_pairs_hook=once)
    except ValueError as error:
        raise UserError(f"{path}: not a JSON file ({error})") from None


def read_yaml(path: Path) -> JsonValue:
    """What a YAML file holds; raises UserError where it holds none, or a key twice, of which the last would win."""
    try:
        loader = YAML_LOADER(read_text(path))
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file") from None
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _check_keys(path, node, set())
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    finally:
        loader.dispose()


def _check_keys(path: Path, node: yaml.Node, seen: set[int]) -> None:
    """Raises UserError for a key that stands twice in one mapping; one that is merged in (``<<``) may stand again."""
    if id(node) in seen or isinstance(node, yaml.ScalarNode):
        return
    seen.add(id(node))
    keys: set[str] = set()
    for part in node.value:
        for each in part if isinstance(part, tuple) else (part,):
            _check_keys(path, each, seen)
        name = part[0].value if isinstance(part, tuple) and isinstance(part[0], yaml.ScalarNode) else None
        if name is not None and name in keys:
            line = part[0].start_mark.line + 1
            raise UserError(f"{path}: key '{name}' stands twice, again in line {line}: keep one")
        keys |= {name} - {None}


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def once(read: Callable[[Path], T]) -> Callable[[Path], T]:
    """Reads a file that stays as it is once per process, for it may be large."""
    known = cache(lambda path, size, time: read(path))

    def looked_up(path: Path) -> T:
        found = path.stat()
        return known(path, found.st_size, found.st_mtime_ns)

    return looked_up


file_digest_once = once(file_digest)


def write_atomic(path: Path, chunks: bytes | Iterable[bytes]) -> None:
    """Writes beside the file, syncs, renames. A disk that takes no more is a UserError and leaves the old file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = own_part(path)
    with full_disk(path):
        for orphan in orphans(path):
            orphan.unlink(missing_ok=True)
        try:
            with temporary.open("wb") as file:
                for chunk in [chunks] if isinstance(chunks, bytes) else chunks:
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def own_part(path: Path) -> Path:
    """Where this process writes what is to become ``path``: a name that no other process has, on any machine."""
    return path.with_name(f"{path.name}.{HOST}-{os.getpid()}.part")


def parts_of(path: Path) -> list[Path]:
    """What processes have written of what is to become ``path``, of all processes on all machines."""
    return [each for each in path.parent.glob(f"{escape(path.name)}.*") if each.suffix == ".part"]


def orphans(path: Path) -> list[Path]:
    """The parts of ``path`` that a process left behind: it ended on this machine, or has not touched its part for
    ``FORGOTTEN`` seconds."""
    return [part for part in parts_of(path) if part != own_part(path) and _left_behind(part, path.name)]


def _left_behind(part: Path, name: str) -> bool:
    host, _, process = part.name[len(name) + 1 : -len(".part")].rpartition("-")
    try:
        if time.time() - part.stat().st_mtime > FORGOTTEN:
            return True
        if host == HOST and process.isdecimal():
            os.kill(int(process), 0)
    except (FileNotFoundError, PermissionError):  # another has taken it up; another user's process
        return False
    except ProcessLookupError:
        return True
    return False


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """Turns a full disk, an exhausted quota, a limit of file sizes and a place that may not be written to into a
    UserError."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_PLACE:
            raise
        raise UserError(f"cannot write {path}, {NO_PLACE[error.errno]}{GO_ON}") from None
