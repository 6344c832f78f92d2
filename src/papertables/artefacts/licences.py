"""The licences of what stands behind an artefact."""

from collections.abc import Iterable, Iterator, Sequence

from papertables.backbones.catalog import backbone
from papertables.data.catalog import dataset
from papertables.planning.asking import source_licence
from papertables.specs.spec import RunSpec


def licences(datasets: Iterable[str], runs: Sequence[RunSpec]) -> str:
    """A line with those of data sets, and of the weights and sentences of runs, by licence; empty without runs."""
    if not runs:
        return ""
    sets = [dataset(id) for id in datasets]
    towers = [backbone(run.backbone) for run in runs]
    sources = [run.attributes for run in runs if run.attributes]
    told = {
        "data sets": [(each.label, each.licence) for each in sets],
        "weights": [(each.label, each.licence) for each in towers],
        "sentences": [(each, source_licence(each)) for each in sources],
    }
    return f"Licences of {'; of '.join(_told(told))}."


def _told(told: dict[str, list[tuple[str, str]]]) -> Iterator[str]:
    for what, pairs in told.items():
        names: dict[str, dict[str, None]] = {}
        for name, licence in pairs:
            names.setdefault(licence, {})[name] = None
        if names:
            yield f"{what}: " + ", ".join(f"{licence} ({', '.join(own)})" for licence, own in names.items())
