"""Whether all is there, and can be read, that artefacts need of data sets and nobody fetches: a user's own images,
sentences, anchors."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import get_args

from papertables.attributes.anchors import anchors
from papertables.attributes.catalog import attribute_source, language_models, published_file
from papertables.attributes.names import check_classes
from papertables.base.errors import UserError
from papertables.data.own import own_datasets
from papertables.planning.asking import can_be_asked, read_once
from papertables.planning.cells import Needed
from papertables.planning.paths import Paths
from papertables.specs.language_models import Kind, LanguageModel


def check_there(paths: Paths, models: Mapping[str, LanguageModel], needed: Iterable[Needed]) -> None:
    """Raises one UserError for all that is lacking. models: by source, as they are asked."""
    found = dict.fromkeys(each for need in dict.fromkeys(needed) for each in _lacking(paths, models, need))
    if found:
        raise UserError("; ".join(found))


def _lacking(paths: Paths, models: Mapping[str, LanguageModel], need: Needed) -> Iterator[str]:
    own = own_datasets().get(need.dataset)
    if own and own.problem:
        yield own.problem
    if need.sentences in language_models():
        if own and not can_be_asked(paths, models[need.sentences]):
            yield from _unwritten(paths, need, "or have a language model asked (docs/llm.md)")
    elif need.sentences and attribute_source(need.sentences).committed:
        yield from _unwritten(paths, need, "or name another source under 'attributes'")
    elif need.sentences:
        yield from _unpublished(need)
    if need.sentences:
        yield from _unusable(paths, need)
    if need.anchors:
        try:
            anchors(need.dataset)
        except UserError as error:
            yield str(error)


def _unwritten(paths: Paths, need: Needed, otherwise: str) -> Iterator[str]:
    files = [path for path in paths.sentences(need.sentences, need.dataset) if not Path(path).exists()]
    if files:
        wanted = " and ".join(paths.written(need.sentences, Path(path).name) for path in files)
        yield f"{need.dataset}: it has no sentences: write {wanted} (each {{class: [sentence, …]}}), {otherwise}"


def _unusable(paths: Paths, need: Needed) -> Iterator[str]:
    """What is wrong with sentences that lie in the project. Which classes a data set of the catalog has is known when
    it is prepared, and compared then."""
    own = own_datasets().get(need.dataset)
    names = own.read(0).class_names if own and not own.problem else None
    for path in map(Path, paths.sentences(need.sentences, need.dataset)):
        if paths.place(str(path)).committed and path.exists():
            try:
                sentences = read_once(path)
                check_classes(names or sentences, sentences)
            except UserError as error:
                yield str(error)


def _unpublished(need: Needed) -> Iterator[str]:
    try:
        for kind in get_args(Kind):
            published_file(need.sentences, need.dataset, kind)
    except UserError as error:
        yield f"{error}: name another under 'attributes'"
