"""What it is worth to report the epoch that is best on the test set instead of the last one."""

from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from papertables.artefacts import tables
from papertables.artefacts.figures import style
from papertables.artefacts.figures.sources import Sources, footer, over_seeds
from papertables.artefacts.table import TableCell
from papertables.specs.config import Selection

ACROSS = 5  # panels
APART = 0.14  # of a row: best above its middle, last below, so that no deviation hides another
MARKS = {"best": {"marker": "o", "markersize": 3.5}, "last": {"marker": "s", "markersize": 4.5, "mfc": "white"}}


@dataclass(frozen=True)
class Selections:
    """frame: row, column, best, best_std, last, last_std, gain (best − last), n; in percent and points, a line per
    row and column in their order. rows: look by name."""

    frame: pd.DataFrame
    rows: dict[str, style.Look]
    columns: tuple[str, ...]
    footer: str
    notes: tuple[str, ...] = ()

    @property
    def alt(self) -> str:
        return (
            f"Dots: accuracy in percent of the best test epoch and of the last epoch for "
            f"{', '.join(self.rows)}{self._deviations}, in panels for {', '.join(self.columns)}."
        )

    @property
    def _deviations(self) -> str:
        return (
            ", with bars of one standard deviation"
            if self.frame[["best_std", "last_std"]].notna().any(axis=None)
            else ""
        )


def collect(sources: Sources) -> Selections:
    planned = sources.planned
    both = {when: _cells(sources, when) for when in ("best", "last")}
    names, columns = sources.table.rows, sources.table.columns
    lines = []
    for i, name in enumerate(names):
        for j, column in enumerate(columns):
            best, last = both["best"][i][j], both["last"][i][j]
            gain = None if best.mean is None or last.mean is None else best.mean - last.mean
            lines.append((name, column, best.mean, best.std, last.mean, last.std, gain, best.n))
    numbers = ["best", "best_std", "last", "last_std", "gain"]
    frame = pd.DataFrame(lines, columns=["row", "column", *numbers, "n"]).astype(dict.fromkeys(numbers, float))
    notes = (
        "The number at each pair is what choosing the epoch on the test set adds to the last epoch, in points.",
        f"The paper reports '{planned.paper.selection}' ({planned.paper.selection_source}).",
    )
    below = footer(sources, over_seeds(sources), "numbers: best minus last, in points")
    return Selections(frame, style.of_rows(planned, sources.table.rows), tuple(columns), below, notes)


def _cells(sources: Sources, selection: Selection) -> tuple[tuple[TableCell, ...], ...]:
    planned = sources.planned.selecting(selection)
    return tables.build(planned, sources.metrics, sources.published_folder, sources.subsets).cells


def draw(data: Selections) -> Figure:
    figure, grid = style.panels(len(data.columns), ACROSS, 0.65 + 0.26 * len(data.rows), data.footer, sharey=True)
    for axes, column in zip(grid[:, 0], data.columns, strict=True):
        own = data.frame[data.frame["column"] == column]
        for place, (name, look) in enumerate(data.rows.items()):
            _pair(axes, own[own["row"] == name], place, look)
        axes.set_title(column)
        axes.set_xlabel("Accuracy (%)")
        _range(axes, *_ends(own))
        axes.grid(axis="y", visible=False)
    grid[0, 0].set_yticks(range(len(data.rows)), data.rows)
    grid[0, 0].set_ylim(len(data.rows) - 0.4, -0.7)
    named = {"best": "best test epoch", "last": "last epoch"}
    handles = [Line2D([], [], linestyle="none", color=style.FAINT, label=named[when], **MARKS[when]) for when in named]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    return figure


def _ends(lines: pd.DataFrame) -> tuple[float, float]:
    """The lowest and the highest that is drawn of accuracies, deviations included."""
    spreads = lines[["best_std", "last_std"]].fillna(0).to_numpy()
    means = lines[["best", "last"]]
    return (means - spreads).min(axis=None), (means + spreads).max(axis=None)


def _range(axes, low: float, high: float) -> None:
    """Room for a number at the right; ticks where accuracies can be."""
    if pd.isna(low):
        return
    room = max(high - low, 1.0)
    axes.set_xlim(low - 0.15 * room, high + 0.5 * room)
    ticks = MaxNLocator(3, integer=True).tick_values(low, high)
    axes.set_xticks([tick for tick in ticks if low - 0.15 * room <= tick <= min(100, high + 0.5 * room)])


def _pair(axes, own: pd.DataFrame, place: int, look: style.Look) -> None:
    """own: the one line of a row and column."""
    line = own.iloc[0]
    if pd.isna(line["gain"]):
        axes.annotate("–", (0.5, place), xycoords=("axes fraction", "data"), ha="center", va="center")
        return
    for when, y in (("best", place - APART), ("last", place + APART)):
        label = f"_{when} {line['row']}"
        dot = {"color": look.colour, "clip_on": False, "elinewidth": 1, **MARKS[when]}
        axes.errorbar(line[when], y, xerr=line[f"{when}_std"], label=label, **dot)
    text = f"{line['gain']:+.1f}".replace("-", "−") if abs(line["gain"]) >= 0.05 else "0"
    _, end = _ends(own)
    axes.annotate(text, (end, place), (5, 0), textcoords="offset points", va="center", fontsize=style.SMALL)
