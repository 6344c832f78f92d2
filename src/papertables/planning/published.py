"""The CSV files of published numbers: their form, and what an artefact says of them."""

import csv
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path

from papertables.backbones.catalog import backbones
from papertables.base.errors import UserError, did_you_mean, unknown
from papertables.base.files import read_text
from papertables.data.catalog import datasets
from papertables.specs.artefact import Artefact, Published

COLUMNS = ("paper", "table", "protocol", "backbone", "dataset", "method", "metric", "value", "std", "source")
PERCENTAGES = ("accuracy", "base", "new", "harmonic_mean", "train_accuracy")
AVERAGE = "Average"  # begins the names of printed averages

Line = Mapping[str, str]


def read_lines(path: Path) -> dict[int, Line]:
    """By line number, what a file of published numbers holds; UserError where it has not the columns."""
    if not path.is_file():
        there = sorted(each.name for each in path.parent.glob("*.csv"))
        raise UserError(
            f"{path}: no such file of published numbers{did_you_mean(path.name, there)}; mend 'published' in the "
            "artefact's YAML file"
        )
    text = read_text(path)
    _check_header(path, text.partition("\n")[0].rstrip("\r"))
    reader = csv.DictReader(text.splitlines(keepends=True))
    found = {}
    for line in reader:
        if None in line or None in line.values():
            count = "more" if None in line else "fewer"
            raise UserError(f"{path}:{reader.line_num}: {count} cells than columns; quote what holds a comma")
        found[reader.line_num] = line
    return found


def check_published(folder: Path, artefact: Artefact) -> None:
    """Raises UserError where an artefact takes no number of a file that it names, or one that cannot be printed there.

    folder: the published numbers of its paper."""
    lines = {name: read_lines(folder / name) for name in dict.fromkeys(each.file for each in artefact.published)}
    for each in artefact.published:
        path = folder / each.file
        metrics = list(dict.fromkeys(line["metric"] for line in lines[each.file].values()))
        if not artefact.computed or "metric" in each.model_fields_set:
            _check_known(f"published: {each.file}: metric", "value", each.metric, metrics)
        if not artefact.computed:
            read = {number: line for number, line in lines[each.file].items() if line["metric"] == each.metric}
            _check_entry(path, artefact, each, read)


def _check_header(path: Path, header: str) -> None:
    if "," not in header and (";" in header or "\t" in header):
        raise UserError(f"{path}: separated by semicolons or tabs: save it separated by commas")
    names = next(csv.reader([header]), [])
    missing = [column for column in COLUMNS if column not in names]
    if missing:
        strange = [name for name in names if name not in COLUMNS]
        found = f", '{strange[0]}'{did_you_mean(strange[0], COLUMNS)} is none of them" if strange else ""
        what = f"column '{missing[0]}' is missing" if len(missing) == 1 else f"columns {', '.join(missing)} are missing"
        raise UserError(f"{path}: {what}{found}; needed are {', '.join(COLUMNS)}")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"{path}: column '{twice}' stands twice: keep one")


def _check_entry(path: Path, artefact: Artefact, each: Published, lines: Mapping[int, Line]) -> None:
    if each.measure not in _measures(artefact):
        shown = ", ".join(sorted(_measures(artefact)))
        raise UserError(f"published: {each.file}: measure: no cell shows {each.measure}; shown are {shown}")
    sets = list(dict.fromkeys(line["dataset"] for line in lines.values()))
    if each.average is not None:
        _check_known(f"published: {each.file}: average", "data set", each.average, sets)
    labels = [entry.label for entry in datasets().values()]
    towers = [entry.label for entry in backbones().values()]
    for number, line in lines.items():
        where, name = f"{path}:{number}", line["dataset"]
        if name != each.average and not name.startswith(AVERAGE):
            _check_known(f"{where}: dataset", "label", name, labels)
        _check_known(f"{where}: backbone", "label", line["backbone"], towers)
        _check_number(where, each, line)


def _measures(artefact: Artefact) -> set[str]:
    """What its cells show."""
    values = [value for axis in artefact.axes.values() if axis.values != "all" for value in axis.values]
    said = [artefact.fixed, *(value.set for value in values if not isinstance(value, str | int | float))]
    found = {settings["measure"] for settings in said if "measure" in settings}
    found |= {
        value
        for axis in artefact.axes.values()
        if axis.vary == "measure"
        for value in axis.values
        if value in PERCENTAGES
    }
    said_everywhere = "measure" in artefact.fixed or any(axis.sets("measure") for axis in artefact.axes.values())
    return found if said_everywhere else found | {"accuracy"}


def _check_number(where: str, published: Published, line: Line) -> None:
    for column in ("value", "std"):
        if not line[column]:
            continue
        most = 100 if published.measure in PERCENTAGES else float("inf")
        what = "a percentage from 0 to 100" if most == 100 else "a number that is not negative"
        if not 0 <= number(where, line, column) <= most:
            raise UserError(f"{where}: {column} is '{line[column]}': it must be {what}, or empty")


def number(where: str, line: Line, column: str) -> float:
    """A finite number of a line; raises UserError."""
    try:
        found = float(line[column])
    except ValueError:
        found = float("nan")
    if not isfinite(found) or "_" in line[column]:
        raise UserError(f"{where}: {column} is '{line[column]}': it must be a number, or empty")
    return found


def _check_known(where: str, kind: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise UserError(f"{where}: {unknown(kind, name, known)}")
