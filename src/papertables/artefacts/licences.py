"""The licences of what stands behind an artefact."""

from collections.abc import Iterable, Iterator, Sequence

from papertables.attributes.catalog import AttributeSource, attribute_source
from papertables.backbones.catalog import backbone
from papertables.data.catalog import dataset
from papertables.specs.spec import RunSpec

MODELS_OWN = "the terms of the language model"


def licences(datasets: Iterable[str], runs: Sequence[RunSpec]) -> str:
    """A line with those of data sets, and of the weights and sentences of runs, by licence; empty without runs."""
    if not runs:
        return ""
    sets = [dataset(id) for id in datasets]
    towers = [backbone(run.backbone) for run in runs]
    sources = [attribute_source(run.attributes) for run in runs if run.attributes]
    terms = [(each.id, each.licence if isinstance(each, AttributeSource) else MODELS_OWN) for each in sources]
    told = {
        "data sets": [(each.label, each.licence) for each in sets],
        "weights": [(each.label, each.licence) for each in towers],
        "sentences": terms,
    }
    return f"Licences. {'; '.join(_told(told))}."


def _told(told: dict[str, list[tuple[str, str]]]) -> Iterator[str]:
    for what, pairs in told.items():
        names: dict[str, dict[str, None]] = {}
        for name, licence in pairs:
            names.setdefault(licence, {})[name] = None
        if names:
            yield f"{what}: " + ", ".join(f"{licence} ({', '.join(own)})" for licence, own in names.items())
