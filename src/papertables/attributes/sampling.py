"""Generated sentences: reading the files, sampling m of them per class (AttrVR, section 4)."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal

from papertables.errors import UserError

MIN_CHARACTERS = 20
Sentences = dict[str, list[str]]  # class name to sentences


@dataclass(frozen=True)
class Attributes:
    descriptive: Sentences
    distinctive: Sentences

    @property
    def digest(self) -> str:
        """SHA-256 of the contents, independent of formatting and of the order of classes."""
        content = [self.descriptive, self.distinctive]
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def read_attributes(descriptive: Path, distinctive: Path) -> Attributes:
    return Attributes(read_sentences(descriptive), read_sentences(distinctive))


def read_sentences(path: Path) -> Sentences:
    """A JSON object of class names to lists of sentences; raises UserError at the first fault."""
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file of attribute sentences") from None
    except ValueError as error:
        raise UserError(f"{path}: not a JSON file ({error})") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: must be an object of class names to lists of sentences")
    for name, sentences in content.items():
        if not isinstance(sentences, list) or not all(isinstance(sentence, str) for sentence in sentences):
            raise UserError(f"{path}: class '{name}' must have a list of sentences")
    return content


def usable(sentences: Sequence[str]) -> list[str]:
    """The sentences that the released code keeps."""
    return [sentence for sentence in sentences if len(sentence) >= MIN_CHARACTERS]


def sample(
    sentences: Sentences,
    class_names: Sequence[str],
    m: int,
    stream: Random,
    rule: Literal["replacement", "distinct"],
) -> list[list[str]]:
    """m sentences for each class, in the order of classes. Raises UserError for a class without usable
    sentences.

    ``replacement`` (released): without replacement only where more than m are usable. ``distinct``: all
    distinct ones first, repeated only where fewer than m exist.
    """
    chosen = []
    for name in class_names:
        if name not in sentences:
            raise UserError(f"attributes: class '{name}' has no entry in the file of sentences")
        kept = usable(sentences[name])
        if not kept:
            raise UserError(f"attributes: class '{name}' has no sentence of {MIN_CHARACTERS} characters or more")
        draw = _with_replacement if rule == "replacement" else _distinct
        chosen.append(draw(kept, m, stream))
    return chosen


def _with_replacement(kept: list[str], m: int, stream: Random) -> list[str]:
    return stream.sample(kept, m) if m < len(kept) else stream.choices(kept, k=m)


def _distinct(kept: list[str], m: int, stream: Random) -> list[str]:
    kept = list(dict.fromkeys(kept))
    drawn = []
    while len(drawn) < m:
        drawn += stream.sample(kept, min(m - len(drawn), len(kept)))
    return drawn
