"""Checksums that files carry within, so that these survive copying, and a file is whole with its own or not there.

A seal is the last thing in a file: the SHA-256 of every byte before it. Of a JSON object it is the last key,
``sha256``; of safetensors the last tensor, ``sha256`` (32,). Zip archives (npz, pt) hold a CRC-32 of every member
instead. A file without a seal was written before there were any, and is taken as it is.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar
from zipfile import ZipFile

from pydantic import BaseModel, JsonValue

from papertables.base.errors import UserError, reason
from papertables.base.files import once

M = TypeVar("M", bound=BaseModel)
SEAL = "sha256"
BYTES = 32  # of a SHA-256
MEND = "delete it and run again"
ALTERED = "it is altered, its checksum is another"
JSON_SEAL = re.compile(rb',\s*"sha256":\s*"([0-9a-f]{64})"\s*}\s*\Z')


class Broken(ValueError):
    """What is wrong with a file's content; who reads it names the file."""


class Damaged(UserError):
    """A file that was made here and is no longer what was written; without it, it is made again. found: the same
    without a mend."""

    def __init__(self, path: Path | str, error: Exception | str, mend: str = MEND):
        self.found = f"{path}: damaged ({reason(error)})"
        super().__init__(f"{self.found}: {mend}")


def sealed_json(content: str) -> bytes:
    """A JSON object, not an empty one, with its seal, and a line's end."""
    head = content.rstrip().removesuffix("}").rstrip().encode()
    return head + f', "{SEAL}": "{hashlib.sha256(head).hexdigest()}"}}\n'.encode()


def unsealed_json(content: bytes) -> bytes:
    """The object without its seal; as it is where it has none. Raises Broken where the seal is of another content."""
    seal = JSON_SEAL.search(content)
    if seal is None:
        return content
    head = content[: seal.start()]
    if hashlib.sha256(head).hexdigest() != seal[1].decode():
        raise Broken(ALTERED)
    return head + b"}"


def read_sealed(path: Path) -> dict[str, JsonValue]:
    """The object in a JSON file, without its seal. Raises Damaged, and FileNotFoundError."""
    try:
        found = json.loads(unsealed_json(path.read_bytes()))
    except ValueError as error:
        raise Damaged(path, error) from None
    if not isinstance(found, dict):
        raise Damaged(path, "it holds no JSON object")
    return found


def read_model(model: type[M], path: Path) -> M:
    """What a JSON file holds, as a model of it. Raises Damaged, and FileNotFoundError."""
    try:
        return model.model_validate_json(unsealed_json(path.read_bytes()))
    except ValueError as error:
        raise Damaged(path, error) from None


def tensors_header(entries: dict[str, JsonValue], end: int) -> bytes:
    """The head of a safetensors file with these entries, whose data are ``end`` bytes and the seal behind them."""
    seal = {"dtype": "U8", "shape": (BYTES,), "data_offsets": (end, end + BYTES)}
    text = json.dumps(entries | {SEAL: seal}).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def sealed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks of a file, and the seal of them all."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
        yield chunk
    yield digest.digest()


def sealed_tensors(content: bytes) -> bytes:
    """What ``safetensors.save`` gives, with its seal."""
    start = 8 + int.from_bytes(content[:8], "little")
    head = tensors_header(json.loads(content[8:start]), len(content) - start)
    return b"".join(sealed([head, content[start:]]))


def check_tensors(path: Path) -> None:
    """Raises Damaged where a safetensors file is not what was written, FileNotFoundError where there is none."""
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            header, start = _header(file, size)
            end = start + max(
                (entry["data_offsets"][1] for name, entry in header.items() if name[:2] != "__"), default=0
            )
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
            raise Damaged(path, "its header cannot be read") from None
        if end != size:
            raise Damaged(path, f"it has {size:,} bytes, its header says {end:,}")
        if SEAL in header and _digest(file, size - BYTES) != file.read(BYTES):
            raise Damaged(path, ALTERED)


check_tensors_once = once(check_tensors)


def is_sealed(path: Path) -> bool:
    """Whether a file that is whole carries a checksum."""
    if path.suffix == ".safetensors":
        with path.open("rb") as file:
            return SEAL in _header(file, path.stat().st_size)[0]
    return path.suffix in (".npz", ".pt") or JSON_SEAL.search(path.read_bytes()) is not None


def seal_of(path: Path) -> str:
    """The seal of a safetensors file as it says, unchecked; of one without, its last bytes."""
    with path.open("rb") as file:
        file.seek(-BYTES, os.SEEK_END)
        return file.read().hex()


def _header(file: BinaryIO, size: int) -> tuple[dict[str, JsonValue], int]:
    """A safetensors file's header, and where its data begin."""
    length = int.from_bytes(file.read(8), "little")
    if length > size:
        raise Broken("its header cannot be read")
    return json.loads(file.read(length)), 8 + length


def _digest(file: BinaryIO, length: int) -> bytes:
    """The SHA-256 of so many bytes from the start, behind which the file then stands."""
    digest, left = hashlib.sha256(), length
    file.seek(0)
    while left and (chunk := file.read(min(left, 1 << 20))):
        digest.update(chunk)
        left -= len(chunk)
    return digest.digest()


def check_zip(path: Path) -> None:
    """Raises Damaged where a member of a zip archive is not what was written, FileNotFoundError where there is none."""
    try:
        with ZipFile(path) as archive:
            altered = archive.testzip()
    except FileNotFoundError:
        raise
    except Exception as error:  # what zipfile raises depends on the bytes
        raise Damaged(path, error) from None
    if altered:
        raise Damaged(path, f"{altered} in it is altered")
