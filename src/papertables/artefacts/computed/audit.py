"""Which published averages and harmonic means do not follow from the published numbers they are made of."""

import csv
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from papertables.artefacts.compare import Numbers, Quote, add, recomputed
from papertables.artefacts.computed.computed_table import Column, ComputedRow, ComputedTable, Source
from papertables.base.files import read_text
from papertables.specs.config import Measure

COLUMNS = (Column("printed", "", digits=2), Column("follows", "", digits=2), Column("difference", "", digits=2))
MEASURES: dict[str, Measure] = {"base": "base", "novel": "new", "hm": "harmonic_mean"}  # by metric
HOW = (
    "Every average and harmonic mean that a published table prints is computed again from that table; listed is what "
    "differs by more than the rounding of all numbers involved can explain. Difference: printed minus what follows.",
)


def compute(source: Source) -> ComputedTable:
    rows, notes, origins = [], [], {}
    for path in sorted(source.published_folder.parents[1].glob("*/published/*.csv"), key=_order):
        checked = unknown = 0
        for metric, quote, found in _checked(path):
            if isinstance(found, str):
                unknown += 1
                continue
            checked += 1
            value, rounding = found
            if abs(value - quote.value) > rounding + 1e-9:
                label = f"{_where(quote)}: {quote.method}, {quote.dataset}, {metric}"
                rows.append(ComputedRow(label, ("", "", ""), (quote.value, value, quote.value - value)))
                origins[quote.source] = None
        if checked or unknown:
            wrong = sum(row.label.startswith(f"{_where(quote)}: ") for row in rows)
            more = f", {unknown} cannot be checked for want of their parts" if unknown else ""
            notes.append(f"{_where(quote)} ({path.stem}): {checked} checked, {checked - wrong} follow{more}.")
    unit = "As printed, in the unit of each table"
    return ComputedTable("Number", unit, COLUMNS, tuple(rows), tuple(notes), HOW, sources=tuple(origins))


def _order(path: Path) -> tuple[str, int, str]:
    """By paper, table1 before table10."""
    number = "".join(each for each in path.stem if each.isdigit())
    return path.parents[1].name, int(number or 0), path.stem


def _where(quote: Quote) -> str:
    return quote.source.partition(":")[0].replace(",", "")


def _checked(path: Path) -> Iterator[tuple[str, Quote, tuple[float, float] | str]]:
    """Every number of a file that is made of others: its metric, itself, and what follows."""
    by_metric = _read(path)
    for metric, numbers in by_metric.items():
        for quote in (each for found in numbers.quotes.values() for each in found):
            if (found := recomputed(quote, list(by_metric.values()))) is not None:
                yield metric, quote, found


def _read(path: Path) -> dict[str, Numbers]:
    """The numbers of a file by metric; words are left out."""
    found: dict[str, Numbers] = {}
    lines = list(csv.DictReader(StringIO(read_text(path))))
    source = tuple({line["dataset"] for line in lines} & {"ImageNet"}) if _targets(lines) else ()
    for line in lines:
        if not _is_number(line["value"]):
            continue
        metric = line["metric"]
        if metric not in found:
            found[metric] = Numbers(path.name, None, MEASURES.get(metric, "accuracy"), source)
        add(found[metric], line, str(path))
    return found


def _targets(lines: list[dict[str, str]]) -> bool:
    """Whether averages are over targets alone, without what was trained on."""
    return any(line["dataset"] == "Average(target)" for line in lines)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
