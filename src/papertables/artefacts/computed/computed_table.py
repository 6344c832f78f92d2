"""What a table is computed from, and how its numbers stand beside the published ones."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev

from papertables.artefacts.compare import Quote, reach, sources
from papertables.artefacts.table import PublishedTable, Table, TableCell
from papertables.data.catalog import dataset
from papertables.planning.axes import Value
from papertables.planning.cells import plan_artefact
from papertables.planning.planned import Cell, PlannedArtefact
from papertables.planning.published import Line, read_lines
from papertables.results.metrics import Metrics
from papertables.results.searches import SearchResult
from papertables.specs.artefact import Artefact, Axis
from papertables.specs.paper import Paper

WORDS = {"yes": "1", "no": "0"}
HOW = (
    "Computed, not trained, and of the paper's own data sets and backbones at every scale.",
    "Below a value: the published one and, in brackets, the difference (ours minus published).",
)
NUMBER = re.compile(r"\d+(?:\.\d+)?")

Key = tuple[str, str, str]  # backbone, data set and method, as in the published file


@dataclass(frozen=True)
class Source:
    """The artefact's declaration, its published numbers and the results of the searches that it shows. subsets: what is
    said of data sets that are there in part, by name. sentences: the files of those that it is about, by source and
    data set. metrics: of the runs that it shows, its own and those of other artefacts, by id."""

    planned: PlannedArtefact
    published_folder: Path
    searches: tuple[SearchResult, ...] = ()
    subsets: Mapping[str, str] = field(default_factory=dict)
    sentences: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    metrics: Mapping[str, Metrics] = field(default_factory=dict)

    @property
    def artefact(self) -> Artefact:
        return self.planned.artefact

    @property
    def paper(self) -> Paper:
        return self.planned.paper

    def printed(self) -> list[Line]:
        """Every line of the artefact's published files. One that is not there is a UserError."""
        files = [self.published_folder / each.file for each in self.artefact.published]
        return [line for file in files for line in read_lines(file).values()]

    def searched(self) -> dict[str, list[SearchResult]]:
        """By data set."""
        found: dict[str, list[SearchResult]] = {}
        for result in self.searches:
            found.setdefault(result.spec.dataset, []).append(result)
        return found

    def cells(self, columns: Axis, method: str) -> Iterator[Cell]:
        """The artefact's rows × ``columns`` with the runs of a method, as the paper has them at any scale."""
        settings = {"rows": self.artefact.rows, "columns": columns, "fixed": {"method": method}}
        wanted = Artefact(id=self.artefact.id, paper=self.paper.id, title=self.artefact.title, **settings)
        yield from plan_artefact(self.planned.scope.published, wanted).cells

    def rows(self) -> tuple[Value, ...]:
        """The artefact's rows, as the paper has them at any scale."""
        return self.planned.declared_rows


@dataclass(frozen=True)
class Column:
    """metric: its name in the published file. part: which of the numbers in a printed text, from 0.

    compares: whether a difference to the published number says something.
    """

    label: str
    metric: str
    digits: int = 0
    part: int = 0
    compares: bool = True


@dataclass(frozen=True)
class ComputedRow:
    """values: one per column, or several measurements of it, or words, or what runs gave."""

    label: str
    key: Key
    values: tuple[float | tuple[float, ...] | str | TableCell, ...]


@dataclass(frozen=True)
class ComputedTable:
    """The values of an artefact, and how they were computed."""

    corner: str
    unit: str
    columns: tuple[Column, ...]
    rows: tuple[ComputedRow, ...]
    notes: tuple[str, ...] = ()
    how: tuple[str, ...] = HOW
    published: PublishedTable | None = None
    sources: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()


def table(source: Source, computed: ComputedTable) -> Table:
    """Each value beside its published one."""
    artefact, paper = source.artefact, source.paper
    printed = source.printed()
    partly = {dataset(name).label for name in source.subsets}
    beside = [() if row.key[1] in partly else printed for row in computed.rows]
    quotes = [
        [_quote(lines, row.key, column) for column in computed.columns]
        for row, lines in zip(computed.rows, beside, strict=True)
    ]
    cells = [
        tuple(_cell(*each) for each in zip(row.values, computed.columns, beside, strict=True))
        for row, beside in zip(computed.rows, quotes, strict=True)
    ]
    return Table(
        id=artefact.id,
        title=artefact.title,
        caption=artefact.caption,
        paper=paper.title,
        venue=paper.venue,
        scale=source.planned.scope.scale.name,
        selection=source.planned.selection,
        corner=computed.corner,
        unit=computed.unit,
        rows=tuple(row.label for row in computed.rows),
        columns=tuple(column.label for column in computed.columns),
        cells=tuple(cells),
        notes=(
            *computed.how,
            *_reach(computed, cells),
            *computed.notes,
            *(f"{said}." for said in source.subsets.values()),
        ),
        failures=computed.failures,
        subsets=tuple(source.subsets.values()),
        sources=computed.sources or tuple(sources(quote for row in quotes for quote in row)),
        published=computed.published,
    )


def _reach(computed: ComputedTable, cells: Sequence[tuple[TableCell, ...]]) -> tuple[str, ...]:
    """How many cells have a published number, beside them or in the table apart; nothing where none has one."""
    if computed.published:
        return (f"The published table follows below. It has numbers in {reach(computed.published.quotes)}.",)
    quotes = tuple(tuple(cell.quote for cell in row) for row in cells)
    return (f"{reach(quotes)} have a published number.",) if any(map(any, quotes)) else ()


def _cell(value: float | tuple[float, ...] | str | TableCell, column: Column, quote: Quote | None) -> TableCell:
    if isinstance(value, TableCell):
        return value
    if isinstance(value, str):
        return TableCell(text=value)
    values = value if isinstance(value, tuple) else (value,)
    mean, std = fmean(values), stdev(values) if len(values) > 1 else None
    difference = mean - quote.value if quote and column.compares else None
    return TableCell(mean=mean, std=std, digits=column.digits, n=len(values), quote=quote, difference=difference)


def _quote(printed: Sequence[Line], key: Key, column: Column) -> Quote | None:
    names = (*key, column.metric)
    found = [each for each in printed if (each["backbone"], each["dataset"], each["method"], each["metric"]) == names]
    if not found or not found[0]["value"]:
        return None
    line = found[0]
    number = NUMBER.findall(WORDS.get(line["value"], line["value"]))[column.part]
    return Quote(
        value=float(number),
        digits=len(number.partition(".")[2]),
        std=float(line["std"]) if line["std"] else None,
        source=f"{line['paper']}, {line['table']}: {line['source']}",
        backbone=key[0],
        dataset=key[1],
        method=key[2],
    )
