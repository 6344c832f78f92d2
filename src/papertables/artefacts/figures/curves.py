"""Accuracies and training loss after each epoch, over seeds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from papertables.artefacts.figures import style
from papertables.artefacts.figures.sources import Sources, footer, over_seeds
from papertables.results.metrics import Metrics

ACROSS = 4  # panels
WIDE = 20  # times the lowest loss: from where a linear scale would flatten what is low
LOSS = "train_loss"
QUANTITIES = {
    "test_accuracy": "Test accuracy (%)",
    LOSS: "Training loss",
    "train_accuracy": "Training accuracy (%)",
}


@dataclass(frozen=True)
class Curves:
    """frame: row, column, quantity (accuracies in percent, train_loss in nats), epoch, mean, std, n. Epoch 0 is a
    method that trains nothing. rows: look by name."""

    frame: pd.DataFrame
    rows: dict[str, style.Look]
    columns: tuple[str, ...]
    quantities: tuple[str, ...]
    footer: str
    notes: tuple[str, ...] = ()

    @property
    def alt(self) -> str:
        return (
            f"Curves: {' and '.join(QUANTITIES[each].lower() for each in self.quantities)} against the epoch for "
            f"{', '.join(self.rows)}, in panels for {', '.join(self.columns)}."
        )


def collect(sources: Sources) -> Curves:
    planned, quantities = sources.planned, sources.planned.artefact.quantities
    lines, diverged = [], _diverged(sources)
    for cell, runs in sources.cells():
        for run in (each for each in runs if each.id not in diverged):
            for quantity, epoch, value in _points(sources.metrics[run.id], quantities):
                lines.append((cell.row.label, cell.column.label, quantity, epoch, value))
    names = ["row", "column", "quantity", "epoch"]
    frame = pd.DataFrame(lines, columns=[*names, "value"])
    frame = frame.groupby(names, sort=False)["value"].agg(mean="mean", std="std", n="count").reset_index()
    unscored = ("Epochs that are not evaluated are left out of the test accuracies.",)
    left_out = tuple(f"Left out, its loss stopped being finite: {id}." for id in diverged)
    level = ("a level line trains nothing",) if (frame["epoch"] == 0).any() else ()
    return Curves(
        frame,
        style.of_rows(planned),
        tuple(value.label for value in planned.columns),
        quantities,
        footer(sources, over_seeds(sources), *level),
        (unscored if "test_accuracy" in quantities else ()) + left_out,
    )


def _points(metrics: Metrics, quantities: Sequence[str]) -> Iterator[tuple[str, int, float]]:
    for epoch in metrics.curve:
        for quantity in quantities:
            if getattr(epoch, quantity) is not None:
                yield quantity, epoch.epoch, getattr(epoch, quantity)
    if not metrics.spec.training and "test_accuracy" in quantities:
        yield "test_accuracy", 0, metrics.evaluations[0].last.accuracy


def _diverged(sources: Sources) -> list[str]:
    ids = [run.id for run in sources.planned.runs if run.id in sources.metrics]
    return [id for id in ids if sources.metrics[id].outcome == "diverged"]


def draw(data: Curves) -> Figure:
    parts, wide = len(data.quantities), _spans_wide(data.frame)
    figure, grid = style.panels(len(data.columns), ACROSS, 1.55 * parts, data.footer, per=parts)
    legend = {}
    for column, panel in zip(data.columns, grid, strict=True):
        for axes, quantity in zip(panel, data.quantities, strict=True):
            own = data.frame[(data.frame["column"] == column) & (data.frame["quantity"] == quantity)]
            for name, look in data.rows.items():
                line = _line(axes, own[own["row"] == name].sort_values("epoch"), name, look)
                legend |= {name: line} if line else {}
            axes.set_xlim(*_limits(data.frame["epoch"]))
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            axes.yaxis.set_major_locator(MaxNLocator(4))
            in_logarithm = wide and quantity == LOSS
            if in_logarithm:
                _set_logarithmic(axes)
            if axes.get_subplotspec().is_first_col():
                axes.set_ylabel(QUANTITIES[quantity] + (" (log scale)" if in_logarithm else ""))
        panel[0].set_title(column)
        panel[-1].set_xlabel("Epoch")
    handles = [legend[name] for name in data.rows if name in legend]
    figure.legend(handles=handles, loc="outside upper center", ncols=6 if len(data.columns) > 2 else 3)
    figure.align_ylabels()
    return figure


def _spans_wide(frame: pd.DataFrame) -> bool:
    """Whether the losses of any panel are far apart, and none is 0."""
    losses = frame[frame["quantity"] == LOSS].groupby("column")["mean"].agg(["min", "max"])
    return bool((losses["min"] > 0).all() and (losses["max"] > WIDE * losses["min"]).any())


def _set_logarithmic(axes) -> None:
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1,) if high > 1000 * low else (1, 3)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _limits(epochs: pd.Series) -> tuple[float, float]:
    last = max(1, epochs.max())
    return -0.03 * last, 1.03 * last


def _line(axes, own: pd.DataFrame, name: str, look: style.Look):
    if own.empty:
        return None
    colour = {"color": look.colour, "linestyle": look.dashes}
    if (own["epoch"] == 0).all():
        return axes.axhline(own["mean"].iloc[0], label=style.in_legend(name), **colour)
    every = max(1, len(own) // 6)
    (line,) = axes.plot(
        own["epoch"],
        own["mean"],
        marker=look.marker,
        markevery=every,
        label=style.in_legend(name),
        clip_on=False,  # a marker at the edge is whole
        **colour,
    )
    low, high = own["mean"] - own["std"], own["mean"] + own["std"]
    axes.fill_between(own["epoch"], low, high, color=look.colour, alpha=0.15, linewidth=0)
    return line
