"""What every image of a prepared data set is, as ``sha256sum -c`` reads it beside the manifest.

It is no output of the rule, which would delete it before the rule runs again.
"""

from collections.abc import Mapping
from pathlib import Path

from papertables.base.files import read_text, write_atomic
from papertables.base.seals import Damaged

KNOWN = "images.sha256"


def read_known(folder: Path) -> dict[str, str]:
    """The SHA-256 of images by path, as they were kept in a prepared folder; none where nothing was. Raises UserError
    where the file is damaged."""
    path = folder / KNOWN
    if not path.exists():
        return {}
    lines = [line.split("  ", 1) for line in read_text(path).split("\n") if line]
    if any(len(line) != 2 for line in lines):
        raise Damaged(path, "a line is no checksum and path")
    return {name: image for image, name in lines}


def keep_known(folder: Path, images: Mapping[str, str]) -> None:
    """Keeps the SHA-256 of images by path."""
    lines = (f"{image}  {name}\n" for name, image in sorted(images.items()))
    write_atomic(folder / KNOWN, "".join(lines).encode())
