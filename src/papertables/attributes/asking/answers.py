"""Every answer as it came, one file per request: what was asked once is not asked again."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue

from papertables.attributes.asking.prompts import CHARACTERS_PER_TOKEN, Request
from papertables.attributes.asking.reading import choices_of, usage_of
from papertables.base.errors import UserError
from papertables.base.files import read_json, write_atomic


@dataclass(frozen=True)
class Answer:
    """body: as the server sent it; of a stream the list of its parts. refused: in place of a body, what a server said
    that cannot give several answers at a time."""

    request: dict[str, JsonValue]
    date: str
    body: JsonValue = None
    refused: str | None = None

    @property
    def tokens(self) -> tuple[int, int]:
        """In and out: as the server counted, else about."""
        if self.refused:
            return 0, 0
        counted = usage_of(self.body)
        if counted:
            return counted
        given, made = sum(map(len, self.request["turns"])), sum(len(each.text) for each in choices_of(self.body))
        return given // CHARACTERS_PER_TOKEN, made // CHARACTERS_PER_TOKEN


class Answers:
    """Those of one source, in a folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    def read(self, request: Request) -> Answer | None:
        """None where it was not answered yet; UserError for a file that is no answer to it."""
        path = self._path(request)
        return _read(path) if path.exists() else None

    def write(self, request: Request, body: JsonValue = None, refused: str | None = None) -> Answer:
        answer = Answer(request.content, datetime.now(UTC).isoformat(timespec="seconds"), body, refused)
        text = json.dumps(vars(answer), indent=1, ensure_ascii=False) + "\n"
        write_atomic(self._path(request), text.encode())
        return answer

    def all(self) -> Iterator[Answer]:
        yield from map(_read, sorted(self.folder.glob("*.json")))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Waits until no other process asks for this source, for its limits hold for all of them together."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _path(self, request: Request) -> Path:
        return self.folder / f"{request.name}.json"


def _read(path: Path) -> Answer:
    content = read_json(path)
    if not isinstance(content, dict) or content.keys() != {"request", "date", "body", "refused"}:
        raise UserError(f"{path}: no stored answer: delete it to ask again")
    return Answer(**content)
