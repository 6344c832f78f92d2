"""From a planned artefact and the metrics of its runs to a table: means, deviations, published numbers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from math import hypot
from operator import itemgetter
from pathlib import Path
from statistics import fmean, harmonic_mean, stdev
from typing import Literal, NamedTuple

from papertables.artefacts import compare
from papertables.artefacts.compare import Numbers, Quote
from papertables.artefacts.notes import EPOCHS, OTHER_EPOCH, numerics_notes, run_notes
from papertables.artefacts.standing import Standing, places, standings
from papertables.artefacts.subsets import labels
from papertables.backbones.catalog import Backbone, backbone, backbone_with
from papertables.base.errors import UserError
from papertables.planning.axes import Value
from papertables.planning.planned import Cell, PlannedArtefact
from papertables.results.metrics import Metrics
from papertables.specs.config import Artefact, Axis, Config, Measure, OwnWeights, PerChannel, Selection
from papertables.specs.spec import Model, RunSpec

SCORES = ("accuracy", "base", "new", "harmonic_mean", "gain")
ACCURACIES = (*SCORES, "train_accuracy")
DIGITS = dict.fromkeys(SCORES, 1) | {"train_accuracy": 1, "parameters": 0, "seconds": 1, "peak_memory_mb": 0}
COSTS = ("seconds", "peak_memory_mb")
DIVERGED, UNFINISHED, OTHER_AVERAGE = "†", "*", "‡"
OTHER: dict[Selection, Selection] = {"best": "last", "last": "best"}
Nearness = Literal["within", "near", "beyond"]
AVERAGE = "Average"


class TableCell(Model):
    """``n`` seeds are behind ``mean``; ``std`` is the sample deviation over them; both print ``digits`` decimals.

    mark: † a run diverged (without a mean, or with the best epoch before), * a run is not finished, ‡ the published
    average is over other data sets, § it shows another epoch than its table. text: words in the place of a number.
    runs: the ids of those behind it; epochs: which ones of theirs it shows. by_seed: the mean of each seed (None: the
    same for every seed).
    """

    mean: float | None = None
    std: float | None = None
    digits: int = 1
    n: int = 0
    quote: Quote | None = None
    difference: float | None = None
    mark: str = ""
    best: bool = False
    second: bool = False
    text: str | None = None
    runs: tuple[str, ...] = ()
    epochs: tuple[Selection, ...] = ()
    by_seed: tuple[tuple[int | None, float], ...] = ()

    @property
    def nearness(self) -> Nearness | None:
        """How far from the published value: within one standard deviation, ours and a printed one joined as the root of
        their squares, within two, or beyond. None where no deviation is known."""
        spread = hypot(self.std or 0, (self.quote and self.quote.std) or 0)
        if self.difference is None or not spread:
            return None
        return (
            "within" if abs(self.difference) <= spread else "near" if abs(self.difference) <= 2 * spread else "beyond"
        )


class PublishedTable(Model):
    """The published numbers alone, where the scale's own cells cannot stand beside them."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    quotes: compare.Quotes

    @property
    def mostly_known(self) -> bool:
        every = [quote for row in self.quotes for quote in row]
        return 2 * sum(quote is not None for quote in every) >= len(every)


class Block(NamedTuple):
    """Rows that stand together: places among all."""

    name: str
    places: tuple[int, ...]


class Behind(NamedTuple):
    """The ids of the runs behind a cell, and which epochs of theirs it shows."""

    runs: tuple[str, ...]
    epochs: tuple[Selection, ...]


Cells = tuple[tuple[TableCell, ...], ...]


class Table(Model):
    """One table. ``cells`` are row by row; ``corner`` says what the rows are, ``across`` what the columns are.

    groups: of each row the block that it stands in, whose name begins its own. standings: of each row among those of
    its block. other: the cells under the other selection, where that shows other numbers.
    """

    id: str
    title: str
    caption: str
    paper: str
    venue: str
    scale: str
    selection: Selection
    corner: str
    across: str = ""
    unit: str = "Accuracy in percent"
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: Cells
    groups: tuple[str, ...] = ()
    standings: tuple[Standing | None, ...] = ()
    other: Cells = ()
    notes: tuple[str, ...]
    failures: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    published: PublishedTable | None = None
    subsets: tuple[str, ...] = ()  # what is said of data sets that are there in part

    @property
    def compares(self) -> bool:
        """Whether any published number stands beside a cell."""
        return any(cell.quote for row in self.cells for cell in row)

    @property
    def traced(self) -> bool:
        """Whether runs are behind it."""
        return any(cell.runs for row in self.cells for cell in row)

    @property
    def blocks(self) -> list[Block]:
        """Its rows by the block that they stand in; all in one without a name where there are none."""
        names = self.groups or ("",) * len(self.rows)
        found = groupby(range(len(names)), key=names.__getitem__)
        return [Block(name, tuple(places)) for name, places in found]

    @property
    def in_sight(self) -> str:
        """The one line that nobody has to unfold."""
        cells = [cell for row in self.cells for cell in row]
        seeds = sorted({seed for cell in cells for seed, _ in cell.by_seed if seed is not None})
        if not self.traced:
            return self.notes[0] if self.notes else ""
        named = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
        over = f"mean ± standard deviation over {named}" if len(seeds) > 1 else named if seeds else "nothing is drawn"
        others = dict.fromkeys(epoch for cell in cells for epoch in cell.epochs if epoch != self.selection)
        marked = "".join(f" ({OTHER_EPOCH}: {EPOCHS[epoch]})" for epoch in others)
        return f"Scale {self.scale}; {over}; {EPOCHS[self.selection]}{marked}."


@dataclass(frozen=True)
class Outcome:
    """The measure by seed (None: the same for every seed). Nothing where a run diverged and shows nothing. halves: of a
    harmonic mean, what it is of."""

    values: dict[int | None, float]
    mark: str = ""
    halves: "tuple[Outcome, Outcome] | None" = None

    @property
    def mean(self) -> float | None:
        """Over seeds; a harmonic mean is that of the means."""
        if not self.values:
            return None
        return harmonic_mean([half.mean for half in self.halves]) if self.halves else fmean(self.values.values())


def of_halves(base: Outcome, new: Outcome) -> Outcome:
    """The harmonic mean of the accuracies on base and new classes."""
    both = {seed: (value, new.values[seed]) for seed, value in base.values.items() if seed in new.values}
    values = {seed: harmonic_mean(pair) for seed, pair in both.items()}
    return Outcome(values, base.mark or new.mark, (base, new))


def build(
    planned: PlannedArtefact,
    metrics: dict[str, Metrics],
    published_folder: Path,
    subsets: Mapping[str, str],
    unverified: Sequence[str] = (),
) -> Table:
    """The table of an artefact. A run that is not there is a UserError, unless its configuration says ``partial``.

    subsets: what is said of data sets that are there in part, by name; no published number stands beside their cells.
    unverified: notes on what no checksum vouches for.
    """
    runs, config = list(planned.runs), planned.scope.config
    if not config.partial:
        _require(planned.artefact.id, runs, metrics)
    artefact, paper = planned.artefact, planned.paper
    rows, columns = list(planned.rows), list(planned.columns)
    partly = _in_rows([not subsets.keys().isdisjoint(planned.shown_in(cell)) for cell in planned.cells], len(columns))
    if artefact.average:
        partly = _averaged(planned, partly, any)
        (rows if artefact.rows.vary == "dataset" else columns).append(compare.average_value(AVERAGE))

    numbers = compare.read(published_folder, artefact.published, artefact.average_without)
    quotes = compare.quotes(artefact, paper, numbers, rows, columns) if planned.comparable else ()
    quotes = _of_whole(quotes, partly)
    counterpart = None if planned.comparable else _published_table(planned, numbers)
    shown = quotes or (counterpart.quotes if counterpart else ())
    used = [quote for row in shown for quote in row if quote]
    measures = {cell.measure for cell in planned.cells}
    cells = _cells(planned, rows, columns, metrics, quotes)
    other = _cells(planned.selecting(OTHER[planned.selection]), rows, columns, metrics, quotes)
    notes = run_notes(planned, runs, artefact.average, subsets)
    notes += [*numerics_notes(metrics.values()), *_own_weights(runs, config), *unverified]
    return Table(
        id=artefact.id,
        title=artefact.title,
        caption=artefact.caption,
        paper=paper.title,
        venue=paper.venue,
        scale=planned.scope.scale.name,
        selection=planned.selection,
        corner=_called(artefact.rows),
        across=_called(artefact.columns) if artefact.columns else "",
        rows=tuple(value.label for value in rows),
        columns=tuple(value.label for value in columns),
        unit=_unit(measures),
        cells=cells,
        groups=tuple(value.block for value in rows) if any(value.block for value in rows) else (),
        standings=_standings(artefact, rows, columns, cells) if measures <= set(SCORES) else (),
        other=other if _numbers(other) != _numbers(cells) else (),
        notes=(
            *notes,
            *_comparison_notes(planned, shown, cells, subsets),
            *_printed_only(planned),
            *compare.average_notes(_averaged_over(planned), numbers, used),
        ),
        failures=tuple(failures(runs, metrics, planned.shown_epoch)),
        sources=tuple(compare.sources(used)),
        published=counterpart,
        subsets=tuple(subsets.values()),
    )


def without_published(planned: PlannedArtefact, metrics: Mapping[str, Metrics]) -> list[list[TableCell]]:
    """What the runs of an artefact gave, row by row, without published numbers beside."""
    made = [
        _cell(
            _outcome(cell, metrics, planned.shown_epoch),
            None,
            1,
            DIGITS[cell.measure],
            Behind((), _epochs(planned, cell)),
        )
        for cell in planned.cells
    ]
    return _in_rows(made, len(planned.columns))


def _numbers(cells: Cells) -> list[list[float | None]]:
    return [[cell.mean for cell in row] for row in cells]


def _called(axis: Axis) -> str:
    """What the values of an axis are."""
    return axis.vary.rpartition(".")[2].replace("_", " ").replace("dataset", "data set").capitalize()


def _cells(
    planned: PlannedArtefact,
    rows: Sequence[Value],
    columns: Sequence[Value],
    metrics: dict[str, Metrics],
    quotes: compare.Quotes,
) -> Cells:
    """The cells of a selection, averages among them."""
    artefact, width = planned.artefact, len(planned.columns)
    outcomes = _in_rows([_outcome(cell, metrics, planned.shown_epoch) for cell in planned.cells], width)
    behind = _in_rows([_behind(planned, cell) for cell in planned.cells], width)
    if artefact.average:
        outcomes = _averaged(planned, outcomes, _average)
        behind = _averaged(planned, behind, _joined)
    cells = [
        [
            _cell(outcome, _at(quotes, i, j), _covered(planned), DIGITS[_measured(rows[i], columns[j])], behind[i][j])
            for j, outcome in enumerate(row)
        ]
        for i, row in enumerate(outcomes)
    ]
    cells = [[_marked(cell, planned.selection) for cell in row] for row in cells]
    if cells and {cell.measure for cell in planned.cells} <= set(SCORES):
        return _placed(cells, [(row.block, _measured(row, columns[0])) for row in rows], artefact)
    return tuple(map(tuple, cells))


def _behind(planned: PlannedArtefact, cell: Cell) -> Behind:
    return Behind(tuple(run.id for member in cell.members for run in member.runs), _epochs(planned, cell))


def _epochs(planned: PlannedArtefact, cell: Cell) -> tuple[Selection, ...]:
    """None of a cost: that is of the whole run."""
    shown = (planned.shown_epoch(run) for member in cell.members for run in member.runs)
    return tuple(dict.fromkeys(shown)) if cell.measure in ACCURACIES else ()


def _joined(parts: Sequence[Behind]) -> Behind:
    """Each once; an average over nothing has nothing behind it."""
    runs = chain.from_iterable(part.runs for part in parts)
    epochs = chain.from_iterable(part.epochs for part in parts)
    return Behind(tuple(dict.fromkeys(runs)), tuple(dict.fromkeys(epochs)))


def _marked(cell: TableCell, selection: Selection) -> TableCell:
    apart = any(epoch != selection for epoch in cell.epochs)
    return cell.model_copy(update={"mark": cell.mark + OTHER_EPOCH}) if apart else cell


def _averaged(planned: PlannedArtefact, grid: list[list], average: Callable[[list], object]) -> list[list]:
    """A grid with its averages over data sets: a row more or a column more."""
    artefact = planned.artefact
    if artefact.rows.vary == "dataset":
        return [*grid, [average(list(column)) for column in zip(*grid, strict=True)]]
    kept = [j for j, column in enumerate(planned.columns) if column.key not in artefact.average_without]
    return [[*row, average([row[j] for j in kept])] for row in grid]


def _in_rows(cells: Sequence, width: int) -> list[list]:
    """Cells that are given row by row."""
    return [list(cells[start : start + width]) for start in range(0, len(cells), max(1, width))]


def _of_whole(quotes: compare.Quotes, partly: Sequence[Sequence[bool]]) -> compare.Quotes:
    """Without those beside cells of a data set that is there in part."""
    rows = zip(quotes, partly, strict=True) if quotes and partly else ()  # none of what shows no runs
    return tuple(tuple(None if part else quote for quote, part in zip(*row, strict=True)) for row in rows)


def _own_weights(runs: Sequence[RunSpec], config: Config) -> list[str]:
    """Which backbones do not have the published weights, and what a user's were read as."""
    notes = []
    for entry in [backbone(name) for name in sorted({run.backbone for run in runs})]:
        if own := config.weights.get(entry.id):
            notes.append(f"{entry.label}: weights of the user's, {Path(own.path).name}, {_read_as(entry, own)}.")
        elif entry.substitute_for:
            notes.append(f"{entry.label} is a substitute for {entry.substitute_for}.")
    return notes


def _read_as(entry: Backbone, own: OwnWeights) -> str:
    """``read as ViT-B-32 of open_clip, as the user says``; what nobody said, for tensors do not tell."""
    read = backbone_with(entry.id, own)
    library = {"clip": "OpenAI (QuickGELU)", "open_clip": "open_clip"}.get(read.kind, read.kind.partition("_")[0])
    said = "as the user says" if own.architecture else "for nothing else was said"
    pixels = f"; pixels normalised with mean {_three(read.mean)} and std {_three(read.std)}" if read.mean else ""
    return f"read as {read.architecture} of {library}, {said}{pixels}"


def _three(values: PerChannel) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _unit(measures: set[Measure]) -> str:
    accuracies = measures & {*ACCURACIES}
    if "gain" in measures:
        return "Accuracy in percent, and gain in points"
    if "harmonic_mean" in measures:
        return "Accuracy in percent on base and new classes, and their harmonic mean"
    if not accuracies:
        return "Cost of one run"
    return "Accuracy in percent" if measures == accuracies else "Accuracy in percent, and cost of one run"


def _require(id: str, runs: Sequence[RunSpec], metrics: dict[str, Metrics]) -> None:
    missing = [run.id for run in runs if run.id not in metrics]
    if missing:
        raise UserError(
            f"{id}: {len(missing)} of {len(runs)} runs are missing, the first is {missing[0]}: "
            f"run 'snakemake {id}', or set partial=true to render what is there"
        )


def _outcome(cell: Cell, metrics: Mapping[str, Metrics], shown_epoch: Callable[[RunSpec], Selection]) -> Outcome:
    if cell.measure == "gain":
        return _gain(*(_outcome(each, metrics, shown_epoch) for each in cell.halves))
    runs = {run.id: run for member in cell.members for run in member.runs}
    there = {id: metrics[id] for id in runs if id in metrics}
    diverged = [each for each in there.values() if each.diverged]
    if any(cell.measure in COSTS or not each.shows(runs[each.run], shown_epoch(runs[each.run])) for each in diverged):
        return Outcome({}, DIVERGED)
    mark = DIVERGED if diverged else UNFINISHED if len(there) < len(runs) else ""
    if cell.measure in SCORES and cell.members:
        shown = [_scored(cell, there, i, shown_epoch, mark) for i in range(len(cell.members[0].scored))]
        return of_halves(*shown) if len(shown) > 1 else shown[0]
    counted = cell.measure == "parameters"  # no seed changes them
    members = [
        {
            None if counted else run.seed: measure_of(there[run.id], cell.measure, shown_epoch(run))
            for run in member.runs
            if run.id in there
        }
        for member in cell.members
    ]
    return Outcome(_mean_by_seed(members), mark)


def _gain(own: Outcome, other: Outcome) -> Outcome:
    """By how many points one is above the other, seed by seed."""
    seeds = (own.values.keys() | other.values.keys()) - {None} or {None}
    pairs = {seed: [each.values.get(seed, each.values.get(None)) for each in (own, other)] for seed in seeds}
    values = {seed: one - two for seed, (one, two) in pairs.items() if None not in (one, two)}
    return Outcome(values, own.mark or other.mark)


def _scored(
    cell: Cell, there: dict[str, Metrics], which: int, shown_epoch: Callable[[RunSpec], Selection], mark: str
) -> Outcome:
    """One of the targets that the members are scored on."""
    members = []
    for member in cell.members:
        found = [(run, there[run.id].scored(member.scored[which])) for run in member.runs if run.id in there]
        members.append({run.seed: each.score(shown_epoch(run)).accuracy for run, each in found if each})
        mark = mark or ("" if all(each for _, each in found) else UNFINISHED)
    return Outcome(_mean_by_seed(members), mark)


def _measured(row: Value, column: Value) -> Measure:
    return (row.settings | column.settings).get("measure", "accuracy")


def measure_of(metrics: Metrics, measure: Measure, selection: Selection) -> float:
    match measure:
        case "train_accuracy":
            return _train_accuracy(metrics, selection)
        case "parameters":
            return metrics.parameters
        case "seconds":
            return metrics.cost.seconds / metrics.cost.group_size
        case "peak_memory_mb":
            return metrics.cost.peak_memory_mb


def _train_accuracy(metrics: Metrics, selection: Selection) -> float:
    """The accuracy on augmented training images in the epoch whose test accuracy is shown."""
    score = metrics.scored(metrics.spec.target).score(selection)
    return next(epoch.train_accuracy for epoch in metrics.curve if epoch.epoch == score.epoch)


def _average(outcomes: Sequence[Outcome]) -> Outcome:
    """Over data sets, seed by seed; of harmonic means, that of the averages."""
    if outcomes and all(outcome.halves for outcome in outcomes):
        return of_halves(*map(_average, zip(*(outcome.halves for outcome in outcomes), strict=True)))
    marks = {outcome.mark for outcome in outcomes}
    mark = DIVERGED if DIVERGED in marks else UNFINISHED if UNFINISHED in marks else ""
    return Outcome(_mean_by_seed([outcome.values for outcome in outcomes]), mark)


def _mean_by_seed(parts: Sequence[dict[int | None, float]]) -> dict[int | None, float]:
    """The mean over parts for each seed that all of them have; a part without seed counts for every seed."""
    if not parts or not all(parts):
        return {}
    seeded = [set(part) for part in parts if None not in part]
    seeds = sorted(set.intersection(*seeded)) if seeded else [None]
    return {seed: fmean(part[None] if None in part else part[seed] for part in parts) for seed in seeds}


def _covered(planned: PlannedArtefact) -> int:
    """Over how many data sets the artefact averages."""
    artefact = planned.artefact
    return len(
        planned.cells[0].members
        if artefact.pool
        else planned.rows
        if artefact.rows.vary == "dataset"
        else [value for value in planned.columns if value.key not in artefact.average_without]
    )


def _averaged_over(planned: PlannedArtefact) -> list[Value]:
    """What averages are over, as the paper declares it."""
    artefact = planned.artefact
    axis = artefact.pool or (artefact.rows if artefact.rows.vary == "dataset" else artefact.columns)
    return [value for value in planned.declared(axis) if value.key not in artefact.average_without]


def _printed_only(planned: PlannedArtefact) -> list[str]:
    """Which methods have published numbers alone."""
    trained = {cell.row.label for cell in planned.cells if cell.members}
    rows = [cell.row.label for cell in planned.cells if cell.row.label not in trained]
    names = dict.fromkeys(row.rpartition(": ")[2] for row in rows)
    return [f"Published numbers alone, not trained here: {', '.join(names)}."] if names else []


def _at(quotes: compare.Quotes, i: int, j: int) -> Quote | None:
    return quotes[i][j] if quotes else None


def _cell(outcome: Outcome, quote: Quote | None, covered: int, digits: int, behind: Behind) -> TableCell:
    values, mean = list(outcome.values.values()), outcome.mean
    std = stdev(values) if len(values) > 1 else None
    other = quote is not None and quote.covers is not None and quote.covers != covered
    difference = mean - quote.value if quote and mean is not None and not other else None
    mark = outcome.mark + (OTHER_AVERAGE if other else "")
    told = {"n": len(values), "by_seed": tuple(outcome.values.items()), **behind._asdict()}
    return TableCell(mean=mean, std=std, digits=digits, quote=quote, difference=difference, mark=mark, **told)


def _placed(cells: list[list[TableCell]], blocks: Sequence[object], artefact: Artefact) -> Cells:
    """Marks the best and the second of every column (of every row, where the methods are the columns), among rows of
    the same block."""
    across_row, marked = artefact.columns.vary == "method", []
    for _, same in groupby(zip(blocks, cells, strict=True), key=itemgetter(0)):
        lines = [row for _, row in same]
        turned = lines if across_row else list(zip(*lines, strict=True))
        placed = [_with_places(line) for line in turned]
        marked += placed if across_row else list(zip(*placed, strict=True))
    return tuple(marked)


def _with_places(line: Sequence[TableCell]) -> tuple[TableCell, ...]:
    """Beside each other, in one data set."""
    found = zip(line, places([cell.mean for cell in line]), strict=True)
    return tuple(cell.model_copy(update={place: True}) if place else cell for cell, place in found)


def _standings(
    artefact: Artefact, rows: Sequence[Value], columns: Sequence[Value], cells: Cells
) -> tuple[Standing | None, ...]:
    """Of methods in rows, over the data sets that the columns are; none of other tables."""
    if artefact.rows.vary != "method" or artefact.columns.vary not in ("dataset", "target"):
        return ()
    found: list[Standing | None] = []
    for _, same in groupby(zip(rows, cells, strict=True), key=lambda pair: pair[0].block):
        found += standings([[cell.mean for cell in row[: len(columns) - artefact.average]] for _, row in same])
    return tuple(found) if any(found) else ()


def _published_table(planned: PlannedArtefact, numbers: Sequence[Numbers]) -> PublishedTable | None:
    artefact, paper = planned.artefact, planned.paper
    rows = list(planned.declared_rows)
    columns = list(planned.declared(artefact.columns)) if artefact.columns else []
    if artefact.average:
        (rows if artefact.rows.vary == "dataset" else columns).append(compare.average_value())
    quotes = compare.quotes(artefact, paper, numbers, rows, columns)
    if not any(quote for row in quotes for quote in row):
        return None
    return PublishedTable(
        rows=tuple(value.label for value in rows),
        columns=tuple(value.label for value in columns),
        quotes=quotes,
    )


def _comparison_notes(
    planned: PlannedArtefact, shown: compare.Quotes, cells: list[list[TableCell]], subsets: Mapping[str, str]
) -> list[str]:
    used = [quote for row in shown for quote in row if quote]
    withheld = []
    if subsets and planned.comparable:
        withheld.append(
            f"No published number stands beside cells of {labels(subsets)}, nor beside averages over them: published "
            "numbers are of the whole data set."
        )
    if withheld and not used:
        return withheld
    if not used:
        return ["No published numbers are known for this table."]
    if not planned.comparable:
        return [
            "These are other data and other backbones than the paper's, so no published number stands beside "
            f"a cell; the published table follows below. It has numbers in {compare.reach(shown)}."
        ]
    notes = [
        "Below a mean: the published value and, in brackets, the difference (ours minus published). "
        f"{compare.reach(shown)} have a published number."
    ]
    if any(OTHER_AVERAGE in cell.mark for row in cells for cell in row):
        covers = ", ".join(sorted({str(each.covers) for each in used if each.covers not in (None, _covered(planned))}))
        notes.append(
            f"{OTHER_AVERAGE} The published average covers {covers} data sets, ours {_covered(planned)}: "
            "no difference is taken."
        )
    return notes + withheld


def failures(
    runs: Sequence[RunSpec], metrics: Mapping[str, Metrics], epoch: Callable[[RunSpec], Selection]
) -> list[str]:
    lines = []
    for run in runs:
        if run.id not in metrics:
            lines.append(f"{UNFINISHED} not finished, or of other code, data or weights: {run.id}")
        elif place := metrics[run.id].diverged:
            shown = ", the best epoch before is shown" if metrics[run.id].shows(run, epoch(run)) else ""
            lines.append(f"{DIVERGED} diverged in epoch {place.epoch}, step {place.step}{shown}: {run.id}")
        elif steps := metrics[run.id].nonfinite:
            lines.append(f"{_steps(steps)} without a finite loss, left out: {run.id}")
    return lines


def _steps(by_epoch: dict[int, int]) -> str:
    """``1 step of epoch 3``, ``5 steps of epochs 3 to 7``"""
    count, first, last = sum(by_epoch.values()), min(by_epoch), max(by_epoch)
    epochs = f"epoch {first}" if first == last else f"epochs {first} to {last}"
    return f"{count} {'step' if count == 1 else 'steps'} of {epochs}"
