"""Test accuracy and training loss after each epoch, over seeds."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from papertables.artefacts.figures import style
from papertables.artefacts.figures.sources import Sources, footer, over_seeds
from papertables.metrics import Metrics

ACROSS = 4  # panels
QUANTITIES = {"test_accuracy": "Test accuracy (%)", "train_loss": "Training loss"}


@dataclass(frozen=True)
class Curves:
    """frame: row, column, quantity (test_accuracy in percent, train_loss in nats), epoch, mean, std, n. Epoch 0 is a
    method that trains nothing."""

    frame: pd.DataFrame
    rows: dict[str, str]
    columns: tuple[str, ...]
    footer: str
    notes: tuple[str, ...] = ()

    @property
    def alt(self) -> str:
        return (
            f"Curves: test accuracy in percent and training loss against the epoch for "
            f"{', '.join(self.rows.values())}, in panels for {', '.join(self.columns)}."
        )


def collect(sources: Sources) -> Curves:
    lines = []
    for cell, runs in sources.cells():
        for run in runs:
            for quantity, epoch, value in _points(sources.metrics[run.id]):
                lines.append((cell.row.label, cell.column.label, quantity, epoch, value))
    names = ["row", "column", "quantity", "epoch"]
    frame = pd.DataFrame(lines, columns=[*names, "value"])
    frame = frame.groupby(names, sort=False)["value"].agg(mean="mean", std="std", n="count").reset_index()
    left_out = tuple(f"Left out, its loss stopped being finite: {id}." for id in _diverged(sources))
    return Curves(
        frame,
        {value.key: value.label for value in sources.planned.rows},
        tuple(value.label for value in sources.planned.columns),
        footer(sources, over_seeds(sources), "a level line trains nothing"),
        ("Epochs that are not evaluated are left out of the accuracies.", *left_out),
    )


def _points(metrics: Metrics) -> Iterator[tuple[str, int, float]]:
    for epoch in metrics.curve:
        yield "train_loss", epoch.epoch, epoch.train_loss
        if epoch.test_accuracy is not None:
            yield "test_accuracy", epoch.epoch, epoch.test_accuracy
    if not metrics.spec.training:
        yield "test_accuracy", 0, metrics.evaluations[0].last.accuracy


def _diverged(sources: Sources) -> list[str]:
    ids = [run.id for run in sources.planned.runs if run.id in sources.metrics]
    return [id for id in ids if sources.metrics[id].outcome == "diverged"]


def draw(data: Curves) -> Figure:
    across = min(ACROSS, len(data.columns))
    down = ceil(len(data.columns) / across)
    figure = style.blank(style.PAGE if across > 2 else style.COLUMN, 0.35 + 2.9 * down, data.footer)
    grid = figure.subplots(2 * down, across, squeeze=False)
    seen = style.looks(list(data.rows))
    legend = {}
    for number, column in enumerate(data.columns):
        for part, (quantity, label) in enumerate(QUANTITIES.items()):
            axes = grid[2 * (number // across) + part, number % across]
            own = data.frame[(data.frame["column"] == column) & (data.frame["quantity"] == quantity)]
            for name, look in zip(data.rows.values(), seen, strict=True):
                line = _line(axes, own[own["row"] == name].sort_values("epoch"), name, look)
                legend |= {name: line} if line else {}
            axes.set_xlim(*_limits(data.frame["epoch"]))
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            axes.yaxis.set_major_locator(MaxNLocator(4))
            if number % across == 0:
                axes.set_ylabel(label)
            if part == 0:
                axes.set_title(column)
            else:
                axes.set_xlabel("Epoch")
    for number in range(len(data.columns), across * down):
        for part in range(2):
            grid[2 * (number // across) + part, number % across].set_axis_off()
    handles = [legend[name] for name in data.rows.values() if name in legend]
    figure.legend(handles=handles, loc="outside upper center", ncols=6 if across > 2 else 3)
    figure.align_ylabels()
    return figure


def _limits(epochs: pd.Series) -> tuple[float, float]:
    last = max(1, epochs.max())
    return -0.03 * last, 1.03 * last


def _line(axes, own: pd.DataFrame, name: str, look: style.Look):
    if own.empty:
        return None
    colour = {"color": look.colour, "linestyle": look.dashes}
    if (own["epoch"] == 0).all():
        return axes.axhline(own["mean"].iloc[0], label=name, **colour)
    every = max(1, len(own) // 6)
    (line,) = axes.plot(own["epoch"], own["mean"], marker=look.marker, markevery=every, label=name, **colour)
    low, high = own["mean"] - own["std"], own["mean"] + own["std"]
    axes.fill_between(own["epoch"], low, high, color=look.colour, alpha=0.15, linewidth=0)
    return line
