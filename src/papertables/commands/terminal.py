"""Artefacts in a terminal."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table as Grid

from papertables.artefacts.figures.sources import FigureRecord
from papertables.artefacts.render import read
from papertables.artefacts.tables import Table
from papertables.artefacts.wording import beside, ours, printed, published_caption
from papertables.base.seals import read_model

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
