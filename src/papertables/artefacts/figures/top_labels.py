"""The source labels that weigh most in each target class, per method."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from papertables.artefacts.figures import style
from papertables.artefacts.figures.sources import Sources, footer, one_seed

CLASSES = 8  # at most, of one data set; fewer of several
TOP = 3  # source labels
LEAST = 0.005  # weight


@dataclass(frozen=True)
class TopLabels:
    """frame: row, column, class, rank (from 1), source, weight. rows: look by name."""

    frame: pd.DataFrame
    rows: dict[str, style.Look]
    columns: tuple[str, ...]
    footer: str
    notes: tuple[str, ...] = ()

    @property
    def alt(self) -> str:
        first = self.frame[self.frame["rank"] == 1]
        texts = [f"{line.column}, {line[3]}, {line.row}: {line.source}" for line in first.itertuples()]
        return f"Bars of the heaviest source labels of target classes. The heaviest: {'; '.join(texts)}."


def collect(sources: Sources) -> TopLabels:
    planned, store = sources.planned, sources.store
    most = classes_of_each(len(planned.columns))
    lines, seeds, without = [], set(), {}
    for cell, run in sources.inspected():
        if not store.mappings(run.id).exists():
            without[cell.row.label] = None
            continue
        content, history = sources.inspection(run), sources.mappings(run)
        number = made_for(history["epochs"], selected_epoch(sources, run.id))
        for label in content.chosen(planned.artefact.classes, most):
            ranked = zip(history["sources"][number][label], history["weights"][number][label], strict=True)
            about = (cell.row.label, cell.column.label, content.name(label))
            for rank, (source, weight) in enumerate(list(ranked)[:TOP], start=1):
                if weight >= LEAST:
                    lines.append((*about, rank, content.source_names[source], float(weight)))
        seeds.add(run.seed)
    shown = {row for row, *_ in lines}
    notes = [
        f"The {TOP} heaviest source labels, where they weigh at least {LEAST}, of the mapping that was in use in the "
        f"selected epoch, of {sources.classes_note(most)}; the weights of all source labels of a class add up to 1."
    ]
    notes += [f"Without a mapping made from statistics: {', '.join(without)}."] if without else []
    return TopLabels(
        pd.DataFrame(lines, columns=["row", "column", "class", "rank", "source", "weight"]),
        {name: look for name, look in style.of_rows(planned).items() if name in shown},
        tuple(value.label for value in planned.columns),
        footer(sources, one_seed(seeds)),
        tuple(notes),
    )


def classes_of_each(columns: int) -> int:
    return max(3, CLASSES // columns)


def selected_epoch(sources: Sources, run: str) -> int:
    metrics = sources.metrics[run]
    own = next(each for each in metrics.evaluations if each.dataset == metrics.spec.dataset)
    return own.score(sources.planned.selection).epoch


def made_for(epochs: np.ndarray, epoch: int) -> int:
    """Number of the mapping that was in use in ``epoch``: the last one made for it or before."""
    return max(0, int(np.searchsorted(epochs, epoch, side="right")) - 1)


def draw(data: TopLabels) -> Figure:
    """Classes below each other, methods beside each other; a data set at a time."""
    of_column = {name: list(dict.fromkeys(own["class"])) for name, own in data.frame.groupby("column", sort=False)}
    heights = [0.35 + 0.5 * len(classes) for classes in of_column.values()]
    width = style.PAGE if len(data.rows) > 1 else style.COLUMN
    figure = style.blank(width, max(1.0, sum(heights)), data.footer)
    if not of_column:
        return figure
    parts = figure.subfigures(len(of_column), 1, squeeze=False, height_ratios=heights)[:, 0]
    for part, (column, classes) in zip(parts, of_column.items(), strict=True):
        part.suptitle(column, fontsize=8)
        grid = part.subplots(len(classes), len(data.rows), squeeze=False)
        own = data.frame[data.frame["column"] == column]
        for line, label in zip(grid, classes, strict=True):
            for axes, (row, look) in zip(line, data.rows.items(), strict=True):
                _bars(axes, own[(own["row"] == row) & (own["class"] == label)], look, data.frame["weight"].max())
            line[0].set_ylabel("\n".join(style.wrap(label, 0.9, lines=3)), rotation=0, ha="right", va="center")
        for axes, row in zip(grid[0], data.rows, strict=True):
            axes.set_title(row)
    return figure


def _bars(axes, own: pd.DataFrame, look: style.Look, heaviest: float) -> None:
    style.bare(axes)
    axes.spines[:].set_visible(False)
    axes.set(xlim=(0, heaviest), ylim=(TOP + 0.5, 0.5))
    bars = axes.barh(own["rank"], own["weight"], 0.9, color=look.colour, alpha=0.35)
    for bar, line in zip(bars, own.itertuples(), strict=True):
        text = f"{line.weight:.2f} {style.shorten(line.source, 36)}"
        axes.text(0.01 * heaviest, bar.get_y() + bar.get_height() / 2, text, va="center", fontsize=style.SMALL)
