"""The sources of attributes: sentences that are committed with the project, or published by the authors and fetched;
language models that are asked for sentences and bases, each declared in a file of its own under ``llms``."""

import csv
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from papertables.base.errors import UserError, unknown
from papertables.specs.language_models import LanguageModel
from papertables.specs.spec import Model
from papertables.specs.validation import entries, read

LLMS = Path(__file__).parent / "llms"


class Spelling(Model):
    """names: classes that a file of sentences spells otherwise, and what it has. reason: why the two are one class."""

    names: dict[str, str]
    reason: str


class AttributeSource(Model):
    """``committed`` sentences lie under attributes/; others are fetched from ``url``/<file> and checked by SHA-256.

    spellings: by the name of one of its files without the suffix (``dtd_des``).
    """

    id: Annotated[str, Field(pattern="^[a-z0-9_-]+$")]
    title: str
    licence: str
    committed: bool = False
    url: str | None = None
    spellings: dict[str, Spelling] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _lies_in_one_place(self):
        if self.committed == (self.url is not None):
            raise ValueError("sentences are either committed or have a url")
        return self


@cache
def attribute_sources() -> dict[str, AttributeSource | LanguageModel]:
    kept = entries(AttributeSource, Path(__file__).parent / "catalog.yaml")
    asked = language_models()
    for id in kept.keys() & asked.keys():
        raise UserError(f"{LLMS / f'{id}.yaml'}: catalog.yaml has a source '{id}' too: rename one")
    return kept | asked


@cache
def language_models() -> dict[str, LanguageModel]:
    return {path.stem: read(LanguageModel, path, id=path.stem) for path in sorted(LLMS.glob("*.yaml"))}


def attribute_source(id: str) -> AttributeSource | LanguageModel:
    """The entry, or a UserError that lists the known names."""
    known = attribute_sources()
    if id not in known:
        raise UserError(unknown("attribute source", id, known))
    return known[id]


def spelt_otherwise(file: Path) -> dict[str, str]:
    """By class, the spelling that is declared for a file of sentences, <source>/<data set>_<kind>.json."""
    source = attribute_sources().get(file.parent.name)
    spelling = source.spellings.get(file.stem) if isinstance(source, AttributeSource) else None
    return spelling.names if spelling else {}


class PublishedFile(Model):
    """One file of sentences as the authors of AttrVR published it."""

    source: str
    dataset: str
    kind: str  # des or dist
    file: str
    bytes: int
    sha256: str


@cache
def published_file(source: str, dataset: str, kind: str) -> PublishedFile:
    """The entry, or a UserError that names the data sets for which the source has sentences."""
    with (Path(__file__).parent / "published.csv").open(encoding="utf-8", newline="") as rows:
        files = [PublishedFile(**row) for row in csv.DictReader(rows)]
    files = [file for file in files if file.source == source]
    for file in files:
        if (file.dataset, file.kind) == (dataset, kind):
            return file
    known = sorted({file.dataset for file in files})
    raise UserError(f"attribute source '{source}' has no sentences for '{dataset}': it has {', '.join(known)}")
