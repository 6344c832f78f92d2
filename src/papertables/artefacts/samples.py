"""The numbers behind an artefact's cells, run by run, by the keys of its axes."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from papertables.artefacts.outcomes import SCORES, measure_of
from papertables.artefacts.table import Table
from papertables.planning.planned import Cell, Member, PlannedArtefact
from papertables.results.metrics import Metrics
from papertables.results.searches import SearchResult
from papertables.specs.config import Selection
from papertables.specs.spec import RunSpec

Place = tuple[str, str]  # keys of the row and of the column
SEARCH = {"lead": "epoch from which the winner leads", "margin": "margin of the winner after the last epoch"}


@dataclass(frozen=True)
class Sample:
    """values: of one run; of a harmonic mean those of base and new classes. run: None of what no run is behind."""

    run: str | None
    values: tuple[float, ...]


Strata = dict[str, dict[int | None, Sample]]  # by data set and seed


@dataclass(frozen=True)
class Grid:
    """cells: what is known of each place. rows, columns: labels by key. apart: keys that averages leave out. exact:
    that no seed changes anything."""

    rows: Mapping[str, str]
    columns: Mapping[str, str]
    cells: Mapping[Place, Strata]
    apart: tuple[str, ...] = ()
    exact: bool = False

    @cached_property
    def turned(self) -> "Grid":
        """With its rows for columns."""
        cells = {(column, row): each for (row, column), each in self.cells.items()}
        return Grid(self.columns, self.rows, cells, self.apart, self.exact)


def of_runs(planned: PlannedArtefact, metrics: Mapping[str, Metrics], selection: Selection) -> Grid:
    """Of the cells of a table, or of a figure that is drawn of cells. Under the selection of the artefact a run shows
    the epoch that it shows there."""
    own = planned.shown_epoch if selection == planned.selection else lambda run: selection
    cells = {(each.row.key, each.column.key): _strata(each, metrics, own) for each in planned.cells}
    rows, columns = ({each.key: each.label for each in axis} for axis in (planned.rows, planned.columns))
    return Grid(rows, columns, cells, planned.artefact.average_without)


def of_table(table: Table) -> Grid:
    """Of a table that is computed, by its labels."""
    cells = {
        (row, column): {"": {None: Sample(None, (cell.mean,))}}
        for row, line in zip(table.rows, table.cells, strict=True)
        for column, cell in zip(table.columns, line, strict=True)
        if cell.mean is not None
    }
    rows, columns = ({label: label for label in axis} for axis in (table.rows, table.columns))
    return Grid(rows, columns, cells, exact=True)


def of_scatter(planned: PlannedArtefact, ratios: Mapping[str, Mapping[str, float]]) -> Grid:
    """Of inspected runs, by id and state: rows are the states, columns those of the artefact."""
    cells: dict[Place, Strata] = {}
    for cell in planned.cells:
        for run in _runs([cell]):
            for state, ratio in ratios.get(run.id, {}).items():
                own = cells.setdefault((state, cell.column.key), {}).setdefault(run.dataset, {})
                own[run.seed] = Sample(run.id, (ratio,))
    states = {state: f"{state} reprogramming" for each in ratios.values() for state in each}
    return Grid(states, {each.key: each.label for each in planned.columns}, cells)


def of_searches(results: Iterable[SearchResult]) -> Grid:
    """Of searches for attributes, by data set: since which epoch the winner is the heaviest, and by how much it is at
    the end."""
    cells: dict[Place, Strata] = {}
    for result in results:
        weights = np.asarray(result.weights)  # (epochs, combinations)
        leads = weights.argmax(1) == weights[-1].argmax()
        first = len(leads) - int(np.argmin(leads[::-1])) + 1 if not leads.all() else 1
        second, best = np.sort(weights[-1])[-2:]
        for key, value in (("lead", float(first)), ("margin", float(best - second))):
            own = cells.setdefault((key, result.spec.dataset), {}).setdefault(result.spec.dataset, {})
            own[result.spec.seed] = Sample(None, (value,))
    return Grid(SEARCH, {name: name for _, name in cells}, cells)


def scatter(features: np.ndarray, labels: np.ndarray) -> float:
    """Of image features (N, D): the scatter of class means around the mean of all over that of images around the mean
    of their class."""
    _, own, counts = np.unique(labels, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), features.shape[1]))
    np.add.at(sums, own, features)
    means = (sums / counts[:, None])[own]
    return float(((means - features.mean(0)) ** 2).sum() / ((features - means) ** 2).sum())


def _runs(cells: Iterable[Cell]) -> Iterable[RunSpec]:
    return (run for cell in cells for member in cell.members for run in member.runs)


def _strata(cell: Cell, metrics: Mapping[str, Metrics], epoch: Callable[[RunSpec], Selection]) -> Strata:
    """By data set; a run that shows nothing is left out."""
    found: Strata = {}
    for member in cell.members:
        shown = {run.seed: (run, metrics[run.id]) for run in member.runs if run.id in metrics}
        samples = {
            seed: Sample(run.id, values)
            for seed, (run, each) in shown.items()
            if each.shows(run, epoch(run)) and (values := _values(cell, member, each, epoch(run)))
        }
        found[member.dataset] = samples
    return found


def _values(cell: Cell, member: Member, metrics: Metrics, selection: Selection) -> tuple[float, ...]:
    """Nothing where it was not scored."""
    if cell.measure not in SCORES:
        return (float(measure_of(metrics, cell.measure, selection)),)
    scores = [each and each.score(selection) for each in map(metrics.scored, member.scored)]
    return tuple(each.accuracy for each in scores) if all(scores) else ()
