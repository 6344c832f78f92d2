"""Image caches on a disk of the machine that computes, copied there once, by whichever job comes first."""

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from papertables.base.errors import UserError
from papertables.base.files import HOST, write_atomic

FOLDER = "PAPERTABLES_CACHE_DIR"  # the variable that names the folder, as the configuration's cache_dir does
CHUNK = 16 << 20  # bytes


def near(path: Path) -> Path:
    """The copy of a file in the folder of this machine; the file itself where none is named, and where the disk takes
    no more. A copy of what the file was before is removed. Raises UserError for a variable that is not set."""
    named = os.environ.get(FOLDER)
    if not named:
        return path
    from filelock import FileLock  # a plan does without

    folder = os.path.expandvars(named)
    if "$" in folder:
        raise UserError(f"config: cache_dir is {named}, and on {HOST} no such variable is set: name another folder")
    found = path.stat()
    copies = Path(folder) / hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:20]
    copy = copies / f"{found.st_size}-{found.st_mtime_ns}{path.suffix}"
    try:
        copies.mkdir(parents=True, exist_ok=True)
        with FileLock(copies / "lock"):
            if not copy.exists():
                for other in copies.glob(f"*{path.suffix}"):
                    other.unlink()
                write_atomic(copy, _chunks(path))
    except (UserError, OSError) as error:
        print(f"{error}; {path} is read where it lies", file=sys.stderr)
        return path
    return copy


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
