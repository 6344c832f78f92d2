"""From a planned artefact and the metrics of its runs to a table: means, deviations, published numbers."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from statistics import stdev

from papertables.artefacts import compare
from papertables.artefacts.compare import Numbers, Quote
from papertables.artefacts.notes import OTHER_EPOCH, numerics_notes, run_notes
from papertables.artefacts.outcomes import SCORES, Outcome, average_of, failures, outcome_of
from papertables.artefacts.standing import Standing, places, standings
from papertables.artefacts.subsets import labels
from papertables.artefacts.table import Behind, Cells, PublishedTable, Table, TableCell
from papertables.backbones.catalog import Backbone, backbone, backbone_with
from papertables.base.errors import UserError
from papertables.planning.axes import Value
from papertables.planning.planned import Cell, PlannedArtefact
from papertables.results.metrics import Metrics
from papertables.specs.artefact import Artefact, Axis
from papertables.specs.config import Config, Measure, OwnWeights, PerChannel, Selection
from papertables.specs.spec import RunSpec

ACCURACIES = (*SCORES, "train_accuracy")
DIGITS = dict.fromkeys(SCORES, 1) | {"train_accuracy": 1, "parameters": 0, "seconds": 1, "peak_memory_mb": 0}
OTHER_AVERAGE = "‡"
OTHER: dict[Selection, Selection] = {"best": "last", "last": "best"}
AVERAGE = "Average"


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
            outcome_of(cell, metrics, planned.shown_epoch),
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
    outcomes = _in_rows([outcome_of(cell, metrics, planned.shown_epoch) for cell in planned.cells], width)
    behind = _in_rows([_behind(planned, cell) for cell in planned.cells], width)
    if artefact.average:
        outcomes = _averaged(planned, outcomes, average_of)
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


def _measured(row: Value, column: Value) -> Measure:
    return (row.settings | column.settings).get("measure", "accuracy")


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
