"""A small data set, a source that a local server answers for, and the two jobs that ask it."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from papertables.attributes.asking.describe import describe
from papertables.attributes.asking.name_bases import name_bases
from papertables.specs.language_models import LanguageModel
from papertables.specs.rules import BasesJob, DescribeJob
from tests.language_model import MODEL, LanguageModelServer, serving
from tests.unit.small_world import draw_dataset, prepared

N = 4  # sentences of each class


@dataclass
class World:
    """source: keys over those of a source that the server answers for."""

    folder: Path
    server: LanguageModelServer

    def source(self, **keys) -> LanguageModel:
        given = {
            "id": "own",
            "title": "a model",
            "model": MODEL,
            "base_url": self.server.url,
            "at_least": N,
            "retries": 1,
        }
        sentences = {"n": N} | keys.pop("sentences", {})
        return LanguageModel(**(given | {"sentences": sentences} | keys))

    @property
    def answers(self) -> Path:
        return self.folder / "answers"

    def describe(self, kind: str = "des", **keys) -> dict[str, list[str]]:
        job = DescribeJob("small", "spot", prepared(self.folder), self.source(**keys), str(self.answers), kind)
        describe(job, self.file(kind))
        return json.loads(self.file(kind).read_text())

    def bases(self, **keys) -> dict:
        job = BasesJob("small", "spot", prepared(self.folder), self.source(**keys), str(self.answers))
        name_bases(job, self.file("bases"))
        return json.loads(self.file("bases").read_text())

    def file(self, kind: str) -> Path:
        return self.folder / f"small_{kind}.json"

    def record(self, kind: str = "des") -> dict:
        return json.loads((self.folder / f"small_{kind}.record.json").read_text())

    def sent(self) -> int:
        """How many requests came since this was last asked."""
        count = len(self.server.requests)
        self.server.requests.clear()
        return count


@pytest.fixture
def server():
    with serving() as server:
        yield server


@pytest.fixture
def world(tmp_path, server, monkeypatch) -> World:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    return World(draw_dataset(tmp_path), server)
