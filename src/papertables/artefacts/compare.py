"""Published numbers: read from the papers' CSV files, matched to cells, and their averages checked."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, harmonic_mean

from pydantic import JsonValue

from papertables.backbones.catalog import backbone
from papertables.base.errors import UserError
from papertables.data.catalog import dataset
from papertables.planning.axes import COLUMNS_APART, Value
from papertables.planning.published import Line, number, read_lines
from papertables.specs.artefact import Artefact, Published
from papertables.specs.config import Measure
from papertables.specs.paper import Paper
from papertables.specs.spec import Model

# settings that the published files have columns for
PRINTED_AVERAGE = re.compile(r"Average\b(?:\s*\((?:target|(\d+)(?:, no (\w+))?)\))?")

Quotes = tuple[tuple["Quote | None", ...], ...]


class Quote(Model):
    """One published number. ``covers``: over how many data sets, if it is an average that says so."""

    value: float
    digits: int  # behind the decimal point, as printed
    std: float | None = None
    source: str
    backbone: str
    dataset: str
    method: str
    shots: int | None = None
    covers: int | None = None


@dataclass(frozen=True)
class Numbers:
    """What one published file says of a measure. ``average`` names the data-set entry of the printed average."""

    file: str
    average: str | None
    measure: Measure = "accuracy"
    without: tuple[str, ...] = ()  # labels of data sets that its averages leave out
    quotes: dict[tuple[str, str, str], list[Quote]] = field(default_factory=dict)  # by backbone, dataset, method

    def find(self, backbone: str, dataset: str | None, method: str, shots: int | None) -> Quote | None:
        """``dataset`` None asks for the average. A number for other shots is none."""
        found = self.quotes.get((backbone, self.average if dataset is None else dataset, method), [])
        return next((quote for quote in found if _agree(quote.shots, shots)), None)

    def __contains__(self, quote: Quote) -> bool:
        return quote in self.quotes.get((quote.backbone, quote.dataset, quote.method), [])

    def parts(self, average: Quote) -> list[Quote]:
        """The numbers of the row that a printed average stands in."""
        row = [each for quotes in self.quotes.values() for each in quotes]
        row = [each for each in row if (each.backbone, each.method) == (average.backbone, average.method)]
        row = [each for each in row if _agree(each.shots, average.shots)]
        left_out = (_printed(average.dataset)[1], *self.without)
        return [each for each in row if not _is_average(each.dataset) and each.dataset not in left_out]


def read(folder: Path, published: Iterable[Published], without: Iterable[str] = ()) -> list[Numbers]:
    """The files in the order in which they are to be asked; a malformed line is a UserError. without: data sets that
    their averages leave out."""
    labels = tuple(dataset(name).label for name in without)
    return [_read(folder / each.file, each, labels) for each in published]


def _read(path: Path, published: Published, without: tuple[str, ...]) -> Numbers:
    numbers = Numbers(path.name, published.average, published.measure, without)
    for line, row in read_lines(path).items():
        if row["metric"] == published.metric and row["value"]:
            add(numbers, row, f"{path}:{line}")
    return numbers


def add(numbers: Numbers, row: Line, where: str) -> None:
    """Takes in one line of a published file; a malformed one is a UserError."""
    value, std = number(where, row, "value"), number(where, row, "std") if row["std"] else None
    shots = re.match(r"(\d+)-shot", row["protocol"])
    quote = Quote(
        value=value,
        digits=len(row["value"].partition(".")[2]),
        std=std,
        source=f"{row['paper']}, {row['table']}: {row['source']}",
        backbone=row["backbone"],
        dataset=row["dataset"],
        method=row["method"],
        shots=int(shots[1]) if shots else None,
        covers=_printed(row["dataset"])[0],
    )
    same = numbers.quotes.setdefault((quote.backbone, quote.dataset, quote.method), [])
    if any(each.shots == quote.shots and each.value != value for each in same):
        raise UserError(f"{where}: a second value for {quote.method}, {quote.dataset}, {quote.backbone}: keep one")
    same.append(quote)


def _printed(name: str) -> tuple[int | None, str | None]:
    """``Average(11, no ImageNet)``: how many data sets it covers and which one it leaves out."""
    found = PRINTED_AVERAGE.fullmatch(name)
    return (int(found[1]) if found and found[1] else None, found[2] if found else None)


def _is_average(name: str) -> bool:
    return PRINTED_AVERAGE.fullmatch(name) is not None


def _agree(one: int | None, other: int | None) -> bool:
    return one is None or other is None or one == other


def average_value(label: str = "Average") -> Value:
    """The computed row or column of averages over the data sets."""
    return Value("average", label, label, {"dataset": None})


def quotes(
    artefact: Artefact,
    paper: Paper,
    numbers: Sequence[Numbers],
    rows: Sequence[Value],
    columns: Sequence[Value],
) -> Quotes:
    """The published number of every cell, None where there is none."""
    return tuple(tuple(_quote(artefact, paper, numbers, row, column) for column in columns) for row in rows)


def _quote(artefact: Artefact, paper: Paper, numbers: Sequence[Numbers], row: Value, column: Value) -> Quote | None:
    if artefact.pool and artefact.pool.vary != "dataset":
        return None
    settings = artefact.fixed | row.settings | column.settings | ({"dataset": None} if artefact.pool else {})
    name = settings.get("target", settings["dataset"])
    wanted = (
        backbone(settings["backbone"]).label,
        name and dataset(name).label,
        _method(paper, settings, (row, column)),
        settings.get("shots") or paper.shots,
    )
    measure = settings.get("measure", "accuracy")
    asked = [each for each in numbers if each.measure == measure]
    return next((found for each in asked if (found := each.find(*wanted))), None)


def _method(paper: Paper, settings: dict[str, JsonValue], values: Iterable[Value]) -> str:
    """The method as the published files name it: ``AttrVR``, or ``AttrVR[k=1]`` under other settings.

    A value of an axis that sets the method together with more is taken by its own label.
    """
    name = paper.methods[settings["method"]].label
    for value in values:
        more = [key for key in value.settings if key not in COLUMNS_APART]
        if more and "method" in value.settings:
            name = value.own or value.published
        elif more:
            plain = value.published == str(value.settings[more[0]])
            name += f"[{more[0].split('.')[-1]}={value.published}]" if plain else f"[{value.published}]"
    return name


def recomputed(
    quote: Quote, numbers: Sequence[Numbers], covered: int | None = None
) -> tuple[float, float] | str | None:
    """What a printed average or harmonic mean should be by the printed numbers it is made of, and how much rounding may
    change it. A text where these are not all known; None of a number that is made of no others.

    covered: over how many data sets an average is that does not say so.
    """
    own = next(each for each in numbers if quote in each)
    half = 0.5 * 10**-quote.digits
    if own.measure == "harmonic_mean":
        key = (quote.backbone, quote.dataset, quote.method)
        found = {each.measure: each.quotes[key][0] for each in numbers if each.file == own.file and key in each.quotes}
        if not {"base", "new"} <= set(found):
            return "base or new classes are not known"
        base, new = found["base"].value, found["new"].value
        return harmonic_mean([base, new]), half + half * 2 * (base**2 + new**2) / (base + new) ** 2
    if not _is_average(quote.dataset):
        return None
    parts = own.parts(quote)
    count = quote.covers or covered or len(parts)
    if len(parts) != count or not count:
        return f"{len(parts)} of its {count} values are known"
    return fmean(part.value for part in parts), half + fmean(0.5 * 10**-part.digits for part in parts)


def reach(quotes: Quotes) -> str:
    """How many cells have a published number, such as ``37 of 65 cells``."""
    every = [quote for row in quotes for quote in row]
    return f"{sum(quote is not None for quote in every)} of {len(every)} cells"


def average_notes(covered: Sequence[Value], numbers: Sequence[Numbers], used: Iterable[Quote | None]) -> list[str]:
    """Whether the printed averages and harmonic means among ``used`` follow from their own rows, or why that is not
    known. covered: the values that an average is over."""
    following, notes = 0, []
    for quote in used:
        found = quote and recomputed(quote, numbers, len(covered))
        if not found:
            continue
        is_mean = next(each for each in numbers if quote in each).measure == "harmonic_mean"
        kind = f"harmonic mean ({quote.dataset})" if is_mean else "average"
        what = f"The published {kind} of {quote.method} with {quote.backbone}"
        if isinstance(found, str):
            notes.append(f"{what} cannot be checked: {found}.")
        elif abs(found[0] - quote.value) <= found[1] + 1e-9:
            following += not is_mean
        else:
            notes.append(
                f"{what} does not follow from its own row: printed {quote.value:.{quote.digits}f}, "
                f"{'that of its two values' if is_mean else f'the mean of its {quote.covers or len(covered)} values'} "
                f"is {found[0]:.{quote.digits + 2}f}."
            )
    if following:
        are = (
            "1 published average follows from its"
            if following == 1
            else f"{following} published averages follow from their"
        )
        notes.insert(0, f"{are} own printed row{'s' if following > 1 else ''}.")
    return list(dict.fromkeys(notes))  # two rows may stand beside the same printed one


def sources(used: Iterable[Quote | None]) -> list[str]:
    """Where the numbers come from, each source once."""
    return list(dict.fromkeys(quote.source for quote in used if quote))
