"""Accuracy against a number, such as shots, or against names, such as sources of sentences: a line per row."""

from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from papertables.artefacts.figures import style
from papertables.artefacts.figures.sources import Sources, footer, over_seeds
from papertables.base.errors import UserError
from papertables.planning.axes import Value
from papertables.planning.planned import PlannedArtefact

LABELS = {
    "shots": "Training images per class (shots)",
    "options.k": "k: nearest sentences per class",
    "options.lam": "λ: weight of the descriptive sentences",
    "options.m": "m: sampled sentences per class",
    "options.patch": "Side of a patch of the mask (pixels)",
    "options.width": "Width of the mask network (maps of its first layer)",
    "options.laplace": "λ: Laplace smoothing of the mapping",
    "options.ratio": "Top-k ratio: k over the number of classes",
    "fraction": "Share of the training images",
    "training.epochs": "Epochs",
    "options.context": "Learned tokens of each context",
    "attributes": "Source of the sentences",
}
NAMED = ("attributes",)  # what is no number, and stands in the order of the columns
BASES = {"shots": 2, "options.patch": 2, "options.width": 2, "options.laplace": 10}  # of logarithmic axes


@dataclass(frozen=True)
class Lines:
    """frame: series, x, mean, std, n, published, published_std; accuracies in percent, NaN where there is none.

    series: look by name, in order. base: of a logarithmic x, else None. names: of x, where these are no numbers.
    """

    frame: pd.DataFrame
    series: dict[str, style.Look]
    x_label: str
    base: int | None
    footer: str
    notes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def alt(self) -> str:
        first, *_, last = map(self.at, sorted(self.frame["x"].unique()))
        names = ", ".join(self.series)
        return f"Lines: accuracy in percent against {self.x_label} ({first} to {last}) for {names}."

    def at(self, x: float) -> str:
        """What stands at the axis there."""
        return self.names[round(x)] if self.names else f"{x:g}"


def collect(sources: Sources) -> Lines:
    planned, table = sources.planned, sources.table
    x = _numbers(planned)
    rows = []
    for name, cells in zip(table.rows, table.cells, strict=True):
        for number, cell in zip(x, cells, strict=False):  # an average over x is none
            quote = cell.quote
            rows.append(
                {
                    "series": name,
                    "x": number,
                    "mean": cell.mean,
                    "std": cell.std,
                    "n": cell.n,
                    "published": quote.value if quote else None,
                    "published_std": quote.std if quote else None,
                }
            )
    frame = pd.DataFrame(rows)
    numbers = [column for column in frame if column not in ("series", "n")]
    vary = planned.artefact.columns.vary
    published = frame["published"].notna().any()
    names = tuple(value.label for value in planned.columns) if vary in NAMED else ()
    if names:
        frame.insert(2, vary, [names[round(x)] for x in frame["x"]])
    return Lines(
        frame.astype(dict.fromkeys(numbers, float)),
        style.of_rows(planned, table.rows),
        LABELS.get(vary, vary.rpartition(".")[2].replace("_", " ")),
        BASES.get(vary),
        footer(sources, over_seeds(sources)),
        ("Hollow markers are published values.",) if published else (),
        names,
    )


def _numbers(planned: PlannedArtefact) -> list[float]:
    vary = planned.artefact.columns.vary
    if vary in NAMED:
        return list(map(float, range(len(planned.columns))))
    try:
        return [_number(value, vary) for value in planned.columns]
    except (TypeError, ValueError):
        raise UserError(f"{planned.artefact.id}: drawing 'lines' needs columns that are numbers, not {vary}") from None


def _number(value: Value, vary: str) -> float:
    setting = value.settings.get(vary, value.label)
    return 1.0 if vary == "fraction" and setting is None else float(setting)


def draw(data: Lines) -> Figure:
    columns = min(3, len(data.series))
    legend_lines = -(-(len(data.series) + 1) // columns)
    figure = style.blank(style.COLUMN, 2.15 + 0.15 * legend_lines, data.footer)
    axes = figure.subplots()
    for name, look in data.series.items():
        own = data.frame[data.frame["series"] == name].sort_values("x")
        width = 1.8 if name == "Average" else 1.2
        line = {"marker": look.marker, "linestyle": "none" if data.names else look.dashes, "linewidth": width}
        axes.plot(own["x"], own["mean"], color=look.colour, label=style.in_legend(name), **line)
        spread = own.dropna(subset=["mean", "std"])
        low, high = spread["mean"] - spread["std"], spread["mean"] + spread["std"]
        if data.names:  # nothing lies between two of them
            axes.vlines(spread["x"], low, high, color=look.colour, linewidth=1, gid=f"bars {name}")
        else:
            axes.fill_between(spread["x"], low, high, color=look.colour, alpha=0.15, linewidth=0, gid=f"band {name}")
        printed = own.dropna(subset=["published"])
        hollow = {"mfc": "none", "mec": look.colour, "linestyle": "none", "markersize": 6, "zorder": 3}
        if len(printed):
            axes.plot(printed["x"], printed["published"], marker=look.marker, label=f"_published {name}", **hollow)
    x = sorted(data.frame["x"].unique())
    if data.base and x[0] > 0:
        axes.set_xscale("log", base=data.base)
    elif data.base:
        axes.set_xscale("symlog", base=data.base, linthresh=next(each for each in x if each > 0))
    axes.xaxis.set_major_locator(FixedLocator(x))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: data.at(value))
    if data.names:
        for label in axes.get_xticklabels():
            label.set(rotation=30, ha="right", rotation_mode="anchor")
    axes.set_xlabel(data.x_label)
    axes.set_ylabel("Accuracy (%)")
    handles, names = axes.get_legend_handles_labels()
    if data.frame["published"].notna().any():
        mark = Line2D([], [], marker="o", mfc="none", mec=style.FAINT, linestyle="none", markersize=6)
        handles, names = [*handles, mark], [*names, "published"]
    figure.legend(handles, names, loc="outside upper center", ncols=columns, columnspacing=1.2)
    return figure
