"""The curve of a run as lines in a drawing of its own units, for pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from papertables.results.metrics import Epoch

WIDTH, HEIGHT = 320, 150  # of the area within the axes


@dataclass(frozen=True)
class Line:
    """points: as the attribute of an SVG polyline. end: where its name stands."""

    name: str
    points: str
    end: tuple[float, float]


@dataclass(frozen=True)
class Panel:
    """title: what is drawn, with its unit. across and up: places and texts of the ticks."""

    title: str
    lines: tuple[Line, ...]
    across: tuple[tuple[float, str], ...]
    up: tuple[tuple[float, str], ...]


def panels(curve: Sequence[Epoch]) -> list[Panel]:
    """Accuracies and loss against the epoch; none of a run without epochs."""
    drawn = {
        "Accuracy (%)": {"test": "test_accuracy", "training": "train_accuracy"},
        "Training loss": {"training": "train_loss"},
    }
    made = (_panel(title, curve, lines) for title, lines in drawn.items())
    return [panel for panel in made if panel.lines]


def _panel(title: str, curve: Sequence[Epoch], quantities: dict[str, str]) -> Panel:
    found = {name: [(each.epoch, getattr(each, key)) for each in curve] for name, key in quantities.items()}
    found = {name: [point for point in points if point[1] is not None] for name, points in found.items()}
    found = {name: points for name, points in found.items() if points}
    ticks = _ticks([value for points in found.values() for _, value in points])
    last = max((each.epoch for each in curve), default=1)

    def at(epoch: float, value: float) -> tuple[float, float]:
        across = (epoch - 1) / (last - 1) if last > 1 else 0.5
        return round(WIDTH * across, 1), round(HEIGHT * (ticks[-1] - value) / (ticks[-1] - ticks[0]), 1)

    places = {name: [at(*point) for point in points] for name, points in found.items()}
    return Panel(
        title,
        tuple(Line(name, " ".join(f"{x},{y}" for x, y in each), each[-1]) for name, each in places.items()),
        tuple((at(epoch, 0)[0], str(epoch)) for epoch in sorted({1, ceil(last / 2), last})),
        tuple((at(1, tick)[1], f"{tick:g}") for tick in ticks),
    )


def _ticks(values: Sequence[float]) -> list[float]:
    """Round numbers below, between and above the values."""
    low, high = min(values, default=0), max(values, default=1)
    rough = (high - low) / 4 or abs(high) / 4 or 1
    unit = 10 ** floor(log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
    first, last = floor(low / step), ceil(high / step)
    return [round(step * i, 10) for i in range(first, max(last, first + 1) + 1)]
