"""What is written beside a file of answers: who gave them, when, to what, and what they cost."""

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

from papertables.attributes.asking.asking import Asking
from papertables.attributes.asking.reading import model_of
from papertables.base.files import file_digest, write_atomic


def write(path: Path, content: JsonValue, asked: Asking, said: Mapping[str, JsonValue]) -> None:
    """The file of answers, and ``<file>.record.json``. said: what is told of these answers alone."""
    write_atomic(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
    answers = [asked.used[name] for name in sorted(asked.used)]
    dates = [answer.date for answer in answers]
    tokens = [answer.tokens for answer in answers]
    source = asked.source
    record = {
        "file": path.name,
        "sha256": file_digest(path),
        "source": source.id,
        "title": source.title,
        "models": sorted({model_of(each.body) or source.model for each in answers if each.body is not None}),
        "address": source.base_url,
        "asked": {"first": min(dates), "last": max(dates)},
        "requests": len(answers),
        "tokens": {"in": sum(given for given, _ in tokens), "out": sum(made for _, made in tokens)},
        **said,
        "declared": source.asked,
    }
    write_atomic(record_of(path), (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode())


def record_of(path: Path) -> Path:
    return path.with_suffix(".record.json")
