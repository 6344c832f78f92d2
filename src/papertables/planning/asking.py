"""What a plan asks of language models: which files, in how many requests, and what that may cost."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from papertables.attributes.asking.prompts import CHARACTERS_PER_TOKEN, describing
from papertables.attributes.asking.server import check_source
from papertables.attributes.catalog import attribute_sources, language_models
from papertables.attributes.sampling import left_out, read_sentences
from papertables.base.errors import UserError
from papertables.base.files import once
from papertables.data.catalog import dataset
from papertables.data.own import own_datasets
from papertables.planning.paths import Paths
from papertables.planning.settings import merged
from papertables.specs.config import Config
from papertables.specs.language_models import Kind, LanguageModel
from papertables.specs.validation import parse

if TYPE_CHECKING:
    from papertables.planning.plan import Plan

NAME = "some class"  # of usual length
IMAGE_TOKENS = 800  # of an image of 512 pixels, about
MODELS_OWN = "the terms of the language model"
read_once = once(read_sentences)


def language_model(source: str, config: Config) -> LanguageModel:
    """As it is declared, with what the configuration says over it where it names the source."""
    declared = language_models()[source]
    if source not in named(config) or not config.llm:
        return declared
    if "id" in config.llm:
        raise UserError("config: llm: 'id' is the name of its file: leave it out")
    return parse(LanguageModel, merged(declared.model_dump(), config.llm), "config: llm")


def named(config: Config) -> set[str]:
    """The sources of sentences and bases that the configuration and the user's own data sets name."""
    return {config.sentences, config.bases, *(own.sentences for own in own_datasets().values())}


def source_said(config: Config, source: str) -> str:
    """A source of attributes, and the model that was asked for them, if any was."""
    if source in language_models():
        model = language_model(source, config)
        return model.said if model.model else f"{source}: files that lie here, no model is named"
    return f"{source}: {attribute_sources()[source].title}"


def source_licence(source: str) -> str:
    """Of its sentences; what a language model answers is under that model's terms."""
    return MODELS_OWN if source in language_models() else attribute_sources()[source].licence


@dataclass(frozen=True)
class Asked:
    """A file that is made of a language model's answers."""

    path: str
    source: LanguageModel
    dataset: str
    kind: Kind | Literal["bases"]

    @property
    def requests(self) -> int:
        """Where the server gives n answers at a time, and all of them do."""
        return 2 if self.kind == "bases" else dataset(self.dataset).classes

    @property
    def tokens(self) -> tuple[int, int]:
        """In, about, and out, at most."""
        data, source = dataset(self.dataset), self.source
        if self.kind == "bases":
            named = min(data.classes, source.listed_classes) * len(NAME)
            said = source.bases.max_tokens or 0
            return 2 * named // CHARACTERS_PER_TOKEN + said, 2 * said
        words = len(describing(source, self.kind, data.task, NAME)) // CHARACTERS_PER_TOKEN
        shown = IMAGE_TOKENS * source.images.per_class if source.images else 0
        most = source.sentences.n * (source.sentences.max_tokens or 0)
        return data.classes * (words + shown), data.classes * most


def asked(plan: "Plan", artefacts: Iterable[str]) -> list[Asked]:
    """What artefacts need, each once."""
    wanted: dict[tuple[str, str, str], None] = {}
    for id in artefacts:
        jobs, planned = plan.jobs_for(id), plan.artefacts[id]
        searches = [*planned.searches]
        searches += [plan.search_of[run.id] for job in jobs for run in job.runs if run.id in plan.search_of]
        wanted |= dict.fromkeys((each.source, each.dataset, "bases") for each in searches if each.source)
        sentences = {(run.attributes, run.dataset) for job in jobs for run in job.runs} | {*planned.sentences.values()}
        for source, name in sorted(each for each in sentences if each[0] in language_models()):
            wanted |= {(source, name, kind): None for kind in ("des", "dist")}
    return [
        Asked(plan.paths.answered(source, name, kind), plan.language_models[source], name, kind)
        for source, name, kind in wanted
    ]


def to_ask(plan: "Plan", artefacts: Iterable[str]) -> list[Asked]:
    """Those that are not there."""
    return [each for each in asked(plan, artefacts) if not Path(each.path).exists()]


def check_asking(plan: "Plan", artefacts: Iterable[str]) -> None:
    """Raises UserError where a model has to be asked, and none is named or no key is there; not where answers are kept,
    of which files may be made."""
    for each in to_ask(plan, artefacts):
        if not _answers_kept(plan.paths, each.source):
            check_source(each.source)


def can_be_asked(paths: Paths, source: LanguageModel) -> bool:
    """Whether it names a model, or answers of it are kept, of which files may be made."""
    return source.model is not None or _answers_kept(paths, source)


def _answers_kept(paths: Paths, source: LanguageModel) -> bool:
    folder = Path(paths.answers(source.id))
    return folder.is_dir() and any(file.endswith(".json") for file in os.listdir(folder))


def asking_notes(plan: "Plan", artefacts: Iterable[str]) -> list[str]:
    """A line for each source and data set that is asked about."""
    found: dict[tuple[str, str], list[Asked]] = {}
    for each in to_ask(plan, artefacts):
        found.setdefault((each.source.id, each.dataset), []).append(each)
    return [_line(each) for each in found.values()] + _in_all(each for some in found.values() for each in some)


def sentence_notes(plan: "Plan", artefacts: Iterable[str]) -> list[str]:
    """A line for each file of sentences, a user's or a language model's, of which some are too short to be used."""
    files = [Path(each.path) for each in asked(plan, artefacts) if each.kind != "bases"]
    lines = [left_out(read_once(file)) for file in files if file.exists()]
    return [line for line in lines if line]


def _line(some: list[Asked]) -> str:
    source = some[0].source
    kinds = ", ".join(each.kind for each in some)
    return f"Asked of {source.said} for {some[0].dataset} ({kinds}): {_sum(some)}."


def _in_all(some: Iterable[Asked]) -> list[str]:
    some = list(some)
    if not some:
        return []
    singly = max(each.source.sentences.n for each in some)
    return [
        f"Asked in all: {_sum(some)}; {singly} times as many requests for sentences where a server gives one answer at "
        f"a time; whatever is stored under {some[0].path.rpartition('/')[0]}/answers is not asked again."
    ]


def _sum(some: list[Asked]) -> str:
    given, made = (sum(each) for each in zip(*(each.tokens for each in some), strict=True))
    costs = [each.source.cost(*each.tokens) for each in some]
    cost = f", at most {sum(costs):,.2f} in all" if None not in costs else ""
    return f"{sum(each.requests for each in some):,} requests, about {given:,} tokens in, at most {made:,} out{cost}"
