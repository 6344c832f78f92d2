"""Accuracies of other artefacts, and by how much one method is above another there, under two ways to take them."""

import numpy as np

from papertables.artefacts.claims import Lines, lines_of, scores
from papertables.artefacts.computed.computed_table import Column, ComputedRow, ComputedTable, Source
from papertables.artefacts.samples import of_runs
from papertables.planning.planned import PlannedArtefact
from papertables.specs.artefact import Gain

WAYS = {"selection": ("best", "last"), "fidelity": ("published", "repaired")}
LABELS = {"best": "best test epoch", "last": "last epoch"}


def compute(source: Source) -> ComputedTable:
    between, others = source.artefact.between, {each.artefact.id: each for each in source.planned.others}
    ways = WAYS[between]
    rows = [
        _row(gain, others[gain.artefact], source, ways) for gain in source.artefact.gains if gain.artefact in others
    ]
    columns = (*(Column(LABELS.get(way, way), way, digits=1) for way in ways), Column("difference", "", digits=1))
    scale = source.planned.scope.scale
    how = (
        f"Scale {scale.name}: {scale.title.rstrip('.')}.",
        "Averages over the data sets of the artefact that is named; mean ± sample standard deviation over seeds; the "
        "difference is the second less the first, seed by seed.",
    )
    return ComputedTable("What", "Points of accuracy", columns, tuple(filter(None, rows)), how=how)


def _row(gain: Gain, planned: PlannedArtefact, source: Source, ways: tuple[str, str]) -> ComputedRow | None:
    """None where the scale leaves it out, or too few runs are there."""
    found = [_lines(gain, planned, source, way) for way in ways]
    if any(isinstance(each, str) for each in found):
        return None
    first, second = map(_by_seed, found)
    if len(first) != len(second):
        return None
    block = f", {gain.block}" if gain.block else ""
    label = f"{' over '.join(found[0].labels)} ({planned.artefact.id}{block})"
    values = tuple(tuple(map(float, each)) for each in (first, second, second - first))
    return ComputedRow(label, ("", "", ""), values)


def _lines(gain: Gain, planned: PlannedArtefact, source: Source, way: str) -> Lines | str:
    by_selection, columns = source.artefact.between == "selection", planned.artefact.columns.vary == "fidelity"
    block = gain.block if by_selection or columns else way
    names = [f"{block}.{name}" if block else name for name in gain.named]
    at = (way,) if columns and not by_selection else gain.at and (gain.at,)
    return lines_of(of_runs(planned, source.metrics, way if by_selection else planned.selection), names, at)


def _by_seed(lines: Lines) -> np.ndarray:
    """(seeds,): the average, or the difference of two."""
    seeds = min(each.shape[-1] for each in lines.strata)
    each = scores(np.stack([stratum[..., :seeds] for stratum in lines.strata], -1).transpose(2, 0, 1, 3))
    return each[:, 0] - each[:, 1] if len(lines.labels) > 1 else each[:, 0]
