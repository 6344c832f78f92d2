"""Whether a raw folder is as it was when its data set was prepared, without reading an image.

Beside a prepared data set lies a note of the raw folder's names, sizes and times. It is no output of the rule, which
would delete it before the rule runs again.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from papertables.base.errors import UserError
from papertables.base.files import write_atomic
from papertables.base.seals import read_sealed, sealed_json
from papertables.specs.spec import digest

NOTE = "raw.json"
MOST = 20_000  # files that are looked at one by one
Stamps = dict[str, tuple[int, int] | None]  # by path below the raw folder: size in bytes (0 of folders), time in ns


def stamps(raw: Path) -> Stamps:
    """The stamps of every folder, and of every file where there are no more than ``MOST``; of more, of those at the
    top alone.

    So an image that is added, removed or renamed is always noticed, by the time of its folder; one that is written over
    in place is not noticed in a set of more than ``MOST`` files."""
    folders, files = [], []
    for folder, names in _walk(raw):
        folders.append(folder)
        files += [f"{folder}/{name}" for name in names]
    if len(files) > MOST:
        files = [file for file in files if file.startswith("./") and file.count("/") == 1]
    return {path: stamp(raw / path) for path in sorted(folders + files)}


def note(prepared: Path, found: Stamps, told: str | None) -> None:
    """Writes down how the raw folder was found, and what ``state`` told when the rule was planned."""
    write_atomic(prepared / NOTE, sealed_json(json.dumps({"told": told, "stamps": found})))


def state(prepared: Path, raw: Path) -> str | None:
    """What sets the rule off: another text once the raw folder is no longer as noted, and the same for as long as it
    is, or once the note is damaged. None where nothing was noted or nothing has changed since the first time."""
    try:
        noted = read_sealed(prepared / NOTE)
    except OSError:
        return None
    except UserError as error:
        return digest(str(error))
    now = {path: stamp(raw / path) for path in noted["stamps"]}
    then = {path: stamp and tuple(stamp) for path, stamp in noted["stamps"].items()}
    return noted["told"] if now == then else digest(list(now.items()))


def _walk(raw: Path) -> Iterator[tuple[str, list[str]]]:
    """Every folder once, through links as well, and the names of its files; paths start at the raw folder, ``.``."""
    seen = set()
    for folder, inner, names in os.walk(raw, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            inner.clear()
            continue
        seen.add(real)
        below = os.path.relpath(folder, raw)
        yield below if below == "." else f"./{below}", names


def stamp(path: Path) -> tuple[int, int] | None:
    """None where there is nothing."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (0 if path.is_dir() else found.st_size), found.st_mtime_ns
