"""What a prepared data set's manifest says, to whoever asks for more than one key of it."""

from pathlib import Path

from pydantic import JsonValue

from papertables.base.errors import UserError
from papertables.base.files import file_digest
from papertables.base.seals import ALTERED, Damaged, read_sealed


def read_manifest(path: Path) -> dict[str, JsonValue]:
    """Raises UserError where there is none, or where it is damaged."""
    try:
        found = read_sealed(path)
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such manifest of a data set: run again") from None
    if not isinstance(found.get("digest"), str):
        raise Damaged(path, "it has no digest")
    return found


def check_split(split: Path, manifest: Path) -> None:
    """Raises UserError where a split is not the one of which its manifest, where there is one, has the checksum.
    Manifests that were written before have none."""
    known = read_manifest(manifest).get("split") if manifest.is_file() else None
    if known and split.is_file() and file_digest(split) != known:
        raise Damaged(split, ALTERED)
