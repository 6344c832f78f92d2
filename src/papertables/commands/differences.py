"""What differs between two runs, and between the numbers of two results folders."""

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from pydantic import JsonValue

from papertables.artefacts.collect import artefact_files
from papertables.base.errors import UserError
from papertables.results.metrics import Metrics

NO_NUMBERS = ("runs", "seeds")  # columns of tables that say what numbers are from


class Pair(NamedTuple):
    """Something of two runs, or a number in two folders; None where only the other has it."""

    what: str
    one: JsonValue
    other: JsonValue


def of_runs(one: Metrics, other: Metrics) -> list[Pair]:
    """Settings and fingerprints that differ, by their path within the record; then every score."""
    settings = [
        _flat(each.model_dump(mode="json", include={"spec", "fingerprint", "computed"})) for each in (one, other)
    ]
    changed = [pair for pair in _pairs(*settings) if pair.one != pair.other]
    return [*changed, *_pairs(*map(_scores, (one, other)))]


def _flat(value: JsonValue, where: str = "") -> dict[str, JsonValue]:
    if not isinstance(value, dict):
        return {where: value}
    inner = ((f"{where}.{key}" if where else key, each) for key, each in value.items())
    return {path: leaf for key, each in inner for path, leaf in _flat(each, key).items()}


def _pairs(one: dict[str, JsonValue], other: dict[str, JsonValue]) -> list[Pair]:
    return [Pair(what, one.get(what), other.get(what)) for what in {**one, **other}]


def _scores(run: Metrics) -> dict[str, JsonValue]:
    """Accuracies in percent, of the best and the last epoch, by data set and class set."""
    scores = ((each, selection, each.score(selection)) for each in run.evaluations for selection in ("best", "last"))
    return {
        f"accuracy on {each.dataset}, {each.classes} classes, {selection} epoch": round(score.accuracy, 4)
        for each, selection, score in scores
        if score
    }


class Compared(NamedTuple):
    """An artefact of two folders. problem: why its numbers cannot be compared one by one."""

    file: str
    numbers: int
    changed: list[Pair]
    problem: str | None = None


def of_folders(old: Path, new: Path) -> Iterator[Compared]:
    """Every table and figure of two results folders, such as ``results/mini`` before and after an upgrade. Raises
    UserError for a folder without any."""
    found = [_artefacts(folder) for folder in (old, new)]
    for file in sorted({*found[0], *found[1]}):
        missing = [str(folder) for folder, files in zip((old, new), found, strict=True) if file not in files]
        yield Compared(file, 0, [], f"it is not in {missing[0]}") if missing else _compared(file, old, new)


def _artefacts(folder: Path) -> set[str]:
    files = {path.relative_to(folder).as_posix() for path in artefact_files(folder, ".csv")}
    if not files:
        raise UserError(f"{folder} holds no tables or figures: name a results folder, such as results/mini")
    return files


def _compared(file: str, old: Path, new: Path) -> Compared:
    frames = [_numbers(folder / file) for folder in (old, new)]
    before, after = frames
    if not before.index.equals(after.index) or not before.columns.equals(after.columns):
        return Compared(file, 0, [], f"its rows or columns are others now{_first_other(before, after)}")
    differs = before.ne(after) & ~(before.isna() & after.isna())
    changed = [
        Pair(f"{row}: {column}", *(None if pd.isna(frame.iat[i, j]) else float(frame.iat[i, j]) for frame in frames))
        for i, row in enumerate(before.index)
        for j, column in enumerate(before.columns)
        if differs.iat[i, j]
    ]
    return Compared(file, int((before.notna() | after.notna()).to_numpy().sum()), changed)


def _first_other(before: pd.DataFrame, after: pd.DataFrame) -> str:
    """The first row or column that only one of two frames has, or that stands elsewhere."""
    pairs = [*zip_longest(before.columns, after.columns), *zip_longest(before.index, after.index)]
    was, now = next((one, other) for one, other in pairs if one != other)
    return f": {now or 'nothing'} in place of {was or 'nothing'}"


def _numbers(path: Path) -> pd.DataFrame:
    """The numbers of a CSV file; a row goes by its line in the file and by the words that stand in it."""
    frame = pd.read_csv(path, dtype_backend="numpy_nullable").drop(columns=[*NO_NUMBERS], errors="ignore")
    numbers = frame.select_dtypes("number")
    words = frame.drop(columns=numbers.columns).astype("string").fillna("")
    said = words.apply(lambda row: ", ".join(filter(None, row)), axis=1) if len(words.columns) else [""] * len(frame)
    numbers = numbers.astype("float64")
    numbers.index = pd.Index([f"line {line} ({text})" for line, text in enumerate(said, start=2)])
    return numbers
