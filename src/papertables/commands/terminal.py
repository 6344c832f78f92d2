"""Artefacts in a terminal."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import JsonValue
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table as Grid

from papertables.artefacts.figures.sources import FigureRecord
from papertables.artefacts.render import read
from papertables.artefacts.table import Table
from papertables.artefacts.verdicts import PaperVerdicts, told_where
from papertables.artefacts.wording import beside, ours, printed, published_caption
from papertables.base.seals import read_model
from papertables.commands.differences import Compared, Pair
from papertables.commands.status import STATES, Status
from papertables.planning.cost import duration
from papertables.results.imports import Imported
from papertables.results.metrics import Metrics

COLOURS = {"holds": "green", "fails": "red", "cannot be told": "yellow", "not tested here": "dim"}
UNLIMITED = 10_000  # columns where the output is no terminal


def show_table(console: Console, file: Path) -> None:
    """The table in a JSON file that ``render.write`` left; what is wider than the terminal is turned on its side."""
    table = read(file)
    _head(console, table)
    cells = [[_cell(cell) for cell in row] for row in table.cells]
    _print_grid(console, table.corner, table.rows, table.columns, cells)
    for line in (*table.failures, *table.notes):
        console.print(f"- {escape(line)}", style="dim")
    if table.published:
        console.print(f"\n{escape(published_caption(table))}", style="bold")
        quotes = [[escape(printed(quote)) for quote in row] for row in table.published.quotes]
        _print_grid(console, table.corner, table.published.rows, table.published.columns, quotes)


def show_figure(console: Console, file: Path) -> None:
    """The files of a figure, with what its JSON file says beside them."""
    figure = read_model(FigureRecord, file)
    _head(console, figure)
    for suffix in (".png", ".pdf", ".svg", ".csv"):
        console.print(str(file.with_suffix(suffix)), soft_wrap=True, markup=False)
    for line in (*figure.failures, *figure.notes):
        console.print(f"- {escape(line)}", style="dim")


def show_status(console: Console, status: Status) -> None:
    """How far artefacts are, why what failed did, what is left, and what to type next."""
    grid = Grid("artefact", *STATES, "made", header_style="bold", box=None, pad_edge=False)
    for column in grid.columns[1:]:
        column.justify = "right"
    for id, counts in status.artefacts.items():
        grid.add_row(id, *(str(counts[state] or "-") for state in STATES), "yes" if counts["made"] else "no")
    grid.add_row("runs in all, each once", *(str(status.runs[state] or "-") for state in STATES), "", style="bold")
    console.print(grid)
    for failure in status.failures:
        console.print(f"\n{failure.job}: {failure.why}\n  {failure.log}", soft_wrap=True, markup=False)
    left = "nothing" if status.seconds is None else f"about {duration(status.seconds)}"
    console.print(f"\nleft to train: {left}, {status.jobs} jobs at work")
    used = ", ".join(f"{name} {size / 1e6:,.0f} MB" for name, size in status.bytes.items() if size >= 1e6)
    console.print(f"disk: {used or 'less than 1 MB'}; {status.free / 1e9:,.1f} GB free", soft_wrap=True)
    console.print(f"next: {status.next}", soft_wrap=True, markup=False)


def show_verdicts(console: Console, file: Path) -> None:
    """The claims of a paper, in the JSON file that ``verdicts.write`` left: verdict, words and evidence."""
    found = read_model(PaperVerdicts, file)
    console.print(f"{escape(found.title)} ({escape(found.venue)}), scale {found.scale}", style="bold")
    console.print(escape(found.summary), soft_wrap=True)
    for claim in found.claims:
        console.print(f"\n[{COLOURS[claim.verdict]}]{claim.verdict}[/]: {escape(claim.words)}", soft_wrap=True)
        console.print(f"  {escape(told_where(claim))}", style="dim", soft_wrap=True)
        console.print(f"  {escape(claim.sentence)}", soft_wrap=True)
    console.print(f"\nEvery comparison, and how verdicts are reached: {file.with_suffix('.md')}\n", soft_wrap=True)


def show_pairs(console: Console, one: str, other: str, pairs: Iterable[Pair]) -> None:
    """What differs between two runs, a line each."""
    grid = Grid("", escape(one), escape(other), header_style="bold", box=None, pad_edge=False)
    for pair in pairs:
        grid.add_row(escape(pair.what), *(escape(_said(each)) for each in pair[1:]))
    console.print(grid)


def show_compared(console: Console, found: Iterable[Compared]) -> None:
    """Every number that differs between two folders, below the artefact that it is of."""
    numbers = changed = 0
    for each in found:
        if each.problem or each.changed:
            told = each.problem or f"{len(each.changed):,} of {each.numbers:,} numbers differ"
            console.print(f"{escape(each.file)}: {escape(told)}", style="bold", soft_wrap=True)
        for pair in each.changed:
            console.print(f"  {pair.what}: {_said(pair.one)} was, {_said(pair.other)} is", soft_wrap=True, markup=False)
        numbers, changed = numbers + each.numbers, changed + len(each.changed)
    console.print(f"{numbers:,} numbers compared: {numbers - changed:,} the same, {changed:,} others")


def show_imported(console: Console, found: Imported, own: Metrics | None) -> None:
    """The scores of a checkpoint from elsewhere, beside those of the run that was made here, if it was."""
    console.print(f"{escape(found.file)}, imported as {escape(found.run)}", style="bold", soft_wrap=True)
    grid = Grid(
        "scored on", "classes", "imported", "best here", "last here", header_style="bold", box=None, pad_edge=False
    )
    for each in found.evaluations:
        here = own and own.scored(each.target)
        scores = [each.last, *((here.best, here.last) if here else (None, None))]
        grid.add_row(each.dataset, each.classes, *(f"{score.accuracy:.1f}" if score else "-" for score in scores))
    console.print(grid)


def _said(value: JsonValue) -> str:
    return "-" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _head(console: Console, shown: Table | FigureRecord) -> None:
    console.print(escape(shown.title), style="bold")
    console.print(f"{escape(shown.paper)} ({escape(shown.venue)}), scale {shown.scale}. {escape(shown.caption)}\n")


def _cell(cell) -> str:
    number = f"[bold]{escape(ours(cell))}[/bold]" if cell.best else escape(ours(cell))
    return f"{number}\n[dim]{escape(beside(cell))}[/dim]" if cell.quote else number


def _print_grid(console: Console, corner: str, rows, columns, cells: list[list[str]]) -> None:
    grid = _grid(corner, rows, columns, cells)
    if Measurement.get(console, console.options.update(max_width=UNLIMITED), grid).maximum > console.width:
        grid = _grid("", columns, rows, [list(column) for column in zip(*cells, strict=True)])
    console.print(grid)


def _grid(corner: str, rows, columns, cells: list[list[str]]) -> Grid:
    grid = Grid(escape(corner), header_style="bold", box=None, pad_edge=False)
    for column in columns:
        grid.add_column(escape(column), justify="right")
    for name, row in zip(rows, cells, strict=True):
        grid.add_row(escape(name), *row)
    return grid
