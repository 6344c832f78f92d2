"""The attribute bases that a language model named for a data set, and what bases must be."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from papertables.base.errors import UserError
from papertables.base.files import read_json
from papertables.specs.language_models import BASES
from papertables.specs.rules import SearchJob
from papertables.specs.spec import Combination

WORD = re.compile("[a-z]+")


def problem(words: Sequence[str], class_names: Iterable[str]) -> str | None:
    """Why these cannot be bases: they are five different single words that no class's name holds. None if they can."""
    if len(words) != BASES:
        return f"{len(words)} words where {BASES} are needed"
    if odd := next((word for word in words if not WORD.fullmatch(word)), None):
        return f"'{odd}' is no single word"
    if twice := next((word for word in words if words.count(word) > 1), None):
        return f"'{twice}' stands twice"
    for name in class_names:
        for word in words:
            if word in re.findall("[a-z]+", name.lower()):
                return f"'{word}' is part of the class name '{name}'"
    return None


def read_bases(path: Path) -> Combination:
    """Raises UserError for a file that holds none."""
    try:
        content = read_json(path)
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file of attribute bases") from None
    words = content.get("bases") if isinstance(content, dict) else None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise UserError(f'{path}: must hold {{"bases": […]}}, {BASES} words')
    if wrong := problem(words, ()):
        raise UserError(f"{path}: {wrong}: mend the file, or delete it to ask again")
    return tuple(words)


def with_bases(job: SearchJob) -> SearchJob:
    """With the bases that a language model named, where the search is in those."""
    if job.bases is None:
        return job
    return replace(job, search=job.search.model_copy(update={"bases": read_bases(Path(job.bases))}))
