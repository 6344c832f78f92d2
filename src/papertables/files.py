"""Files that are read in one way, and written so that they are either whole or not there."""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from pydantic import JsonValue

from papertables.errors import UserError

YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the former, in C, is ten times as fast


def read_yaml(path: Path) -> JsonValue:
    """What a YAML file holds; raises UserError where it holds none, or a key twice, of which the last would win."""
    loader = YAML_LOADER(_text(path))
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


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8: save it with that encoding") from None


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


def write_atomic(path: Path, chunks: bytes | Iterable[bytes]) -> None:
    """Writes beside the file, syncs, renames. A full disk is a UserError and leaves the old file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    with full_disk(path):
        try:
            with temporary.open("wb") as file:
                for chunk in [chunks] if isinstance(chunks, bytes) else chunks:
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        text = f"the disk is full while writing {path}: free some space and start again, finished work is kept"
        raise UserError(text) from None
