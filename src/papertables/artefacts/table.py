"""A table: its cells, the published numbers beside them, and what is said of it."""

from itertools import groupby
from math import hypot
from typing import Literal, NamedTuple

from papertables.artefacts.compare import Quote, Quotes
from papertables.artefacts.notes import EPOCHS, OTHER_EPOCH
from papertables.artefacts.standing import Standing
from papertables.specs.config import Selection
from papertables.specs.spec import Model

Nearness = Literal["within", "near", "beyond"]


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
    quotes: Quotes

    @property
    def mostly_known(self) -> bool:
        every = [quote for row in self.quotes for quote in row]
        return 2 * sum(quote is not None for quote in every) >= len(every)


class Block(NamedTuple):
    """Rows that stand together: places among all."""

    name: str
    places: tuple[int, ...]


Cells = tuple[tuple[TableCell, ...], ...]


class Behind(NamedTuple):
    """The ids of the runs behind a cell, and which epochs of theirs it shows."""

    runs: tuple[str, ...]
    epochs: tuple[Selection, ...]


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
