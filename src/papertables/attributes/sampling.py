"""Generated sentences: reading the files, sampling m of them per class (AttrVR, section 4)."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal

from papertables.attributes.catalog import spelt_otherwise
from papertables.base.errors import UserError, did_you_mean
from papertables.base.files import read_json

MIN_CHARACTERS = 20


class Sentences(dict[str, list[str]]):
    """Class name to sentences; ``file`` is where they were read, for errors."""

    def __init__(self, content: Mapping[str, list[str]], file: Path):
        super().__init__(content)
        self.file = file


@dataclass(frozen=True)
class Attributes:
    descriptive: Sentences
    distinctive: Sentences

    @property
    def files(self) -> tuple[Sentences, Sentences]:
        """As read, each from its own file."""
        return self.descriptive, self.distinctive

    @property
    def digest(self) -> str:
        """SHA-256 of the contents, independent of formatting and of the order of classes."""
        content = [self.descriptive, self.distinctive]
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def read_attributes(descriptive: Path, distinctive: Path) -> Attributes:
    return Attributes(read_sentences(descriptive), read_sentences(distinctive))


def read_sentences(path: Path) -> Sentences:
    """A JSON object of class names to lists of sentences; raises UserError at the first fault.

    A class whose spelling in this file is declared in the catalog has its sentences under its own name as well.
    """
    try:
        content = read_json(path)
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file of attribute sentences") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: must be an object of class names to lists of sentences")
    for name, sentences in content.items():
        if not isinstance(sentences, list) or not all(isinstance(sentence, str) for sentence in sentences):
            raise UserError(f"{path}: class '{name}' must have a list of sentences")
    spelt = {name: content[own] for name, own in spelt_otherwise(path).items() if own in content}
    return Sentences(content | spelt, path)


def usable(sentences: Sequence[str]) -> list[str]:
    """The sentences that the released code keeps."""
    return [sentence for sentence in sentences if len(sentence) >= MIN_CHARACTERS]


def sentences_of(name: str, sentences: Sentences) -> list[str]:
    """The usable sentences of a class; raises UserError where it has none."""
    if name not in sentences:
        raise UserError(
            f"{sentences.file}: class '{name}' has no entry{did_you_mean(name, sentences)}: add its sentences; where "
            "the file is published, declare its spelling under spellings in src/papertables/attributes/catalog.yaml"
        )
    kept = usable(sentences[name])
    if not kept:
        raise UserError(
            f"{sentences.file}: class '{name}' has no sentence of {MIN_CHARACTERS} characters or more: add some"
        )
    return kept


def left_out(sentences: Sentences) -> str | None:
    """A line on the sentences that are too short to be usable; None without any."""
    every = [sentence for own in sentences.values() for sentence in own]
    short = len(every) - len(usable(every))
    if not short:
        return None
    return (
        f"{sentences.file}: {short} of {len(every)} sentences have fewer than {MIN_CHARACTERS} characters and are left "
        "out, as in the released code"
    )


def repeated(sentences: Sentences, class_names: Sequence[str], m: int) -> str | None:
    """A line on the classes with fewer than ``m`` usable sentences, whose draws hold some twice; None without any."""
    counts = {name: len(sentences_of(name, sentences)) for name in class_names}
    short = {name: count for name, count in counts.items() if count < m}
    if not short:
        return None
    least = min(short, key=short.get)
    return (
        f"{sentences.file}: {len(short)} of {len(counts)} classes have fewer than {m} sentences to use, so some are "
        f"drawn twice; the fewest has '{least}' with {short[least]}"
    )


def sample(
    sentences: Sentences,
    class_names: Sequence[str],
    m: int,
    stream: Random,
    rule: Literal["replacement", "distinct"],
) -> list[list[str]]:
    """m sentences for each class, in the order of classes; classes of one name draw one after the other. Raises
    UserError for a class without usable sentences.

    ``replacement`` (released): without replacement only where more than m are usable. ``distinct``: all
    distinct ones first, repeated only where fewer than m exist.
    """
    draw = _with_replacement if rule == "replacement" else _distinct
    return [draw(sentences_of(name, sentences), m, stream) for name in class_names]


def _with_replacement(kept: list[str], m: int, stream: Random) -> list[str]:
    return stream.sample(kept, m) if m < len(kept) else stream.choices(kept, k=m)


def _distinct(kept: list[str], m: int, stream: Random) -> list[str]:
    kept = list(dict.fromkeys(kept))
    drawn = []
    while len(drawn) < m:
        drawn += stream.sample(kept, min(m - len(drawn), len(kept)))
    return drawn
