"""How training changes the loss of each image."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from papertables.artefacts.figures import style
from papertables.artefacts.figures.sources import Sources, footer, one_seed
from papertables.specs.spec import TRAIN_SAMPLE

ACROSS = 4  # columns
BARS = 30
TAILS = (0.5, 99.5)  # percent of the images lie between
OF_EACH = {
    "test": "every test image",
    "train": f"every training image (of more than {TRAIN_SAMPLE:,} as many at random), resized as for tests",
}


@dataclass(frozen=True)
class LossChange:
    """frame: row, column, low and high end of a bar (nats), images in it, share_up (percent of all images whose loss
    is larger after)."""

    frame: pd.DataFrame
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    images: str
    footer: str
    notes: tuple[str, ...] = ()

    @property
    def alt(self) -> str:
        shares = self.frame.drop_duplicates(["row", "column"])
        texts = [f"{line.row} on {line.column} {line.share_up:.1f} %" for line in shares.itertuples()]
        return (
            f"Histograms of the change of the loss of {self.images}, one by one; share of images whose loss went up: "
            f"{', '.join(texts)}."
        )


def collect(sources: Sources) -> LossChange:
    changes: dict[str, dict[str, np.ndarray]] = {}
    seeds = set()
    for cell, run in sources.inspected():
        content = sources.inspection(run)
        changes.setdefault(cell.column.label, {})[cell.row.label] = content.loss("after") - content.loss("before")
        seeds.add(run.seed)
    lines = []
    for column, found in changes.items():
        edges = bars(np.concatenate(list(found.values())))
        for row, change in found.items():
            counts, _ = np.histogram(change.clip(edges[0], edges[-1]), edges)
            share = 100 * float((change > 0).mean())
            lines += [(row, column, *each, share) for each in zip(edges, edges[1:], counts, strict=False)]
    frame = pd.DataFrame(lines, columns=["row", "column", "low", "high", "images", "share_up"])
    notes = (
        "Change: cross-entropy of the trained method on its own image minus that of the untrained one on the plain "
        f"image, of {OF_EACH[sources.planned.artefact.part]}. Untrained: the head as it is made, where label mappings "
        "are made from statistics with the run's first one.",
        "The outermost bars hold what lies beyond them, at most 0.5 % of the images of all methods at each end.",
    )
    below = footer(sources, one_seed(seeds), "percentages: images whose loss went up")
    planned = sources.planned
    rows, columns = (tuple(value.label for value in axis) for axis in (planned.rows, planned.columns))
    return LossChange(frame, rows, columns, sources.images, below, notes)


def bars(changes: np.ndarray) -> np.ndarray:
    """Edges of bars of one width, of which one is 0."""
    low, high = (float(end) for end in np.percentile(changes, TAILS))
    low, high = min(low, 0.0), max(high, 0.0)
    width = (high - low) / BARS or 1.0
    return width * np.arange(np.floor(low / width), max(np.ceil(high / width), np.floor(low / width) + 1) + 1)


def draw(data: LossChange) -> Figure:
    """Methods below each other, data sets beside each other."""
    down = len(data.rows)
    figure, grid = style.panels(len(data.columns), ACROSS, 0.35 + 0.72 * down, data.footer, per=down)
    for column, panel in zip(data.columns, grid, strict=True):
        panel[0].set_title(column)
        panel[-1].set_xlabel("Change of the loss")
        for axes, row in zip(panel, data.rows, strict=True):
            _histogram(axes, data.frame[(data.frame["row"] == row) & (data.frame["column"] == column)])
            axes.sharex(panel[0])
            axes.tick_params(labelbottom=axes is panel[-1])
            if axes.get_subplotspec().is_first_col():
                axes.set_ylabel("\n".join(style.wrap(row, 0.6)), fontsize=style.SMALL)
    down, up = Patch(color=style.RIGHT, label="loss went down"), Patch(color=style.WRONG, label="loss went up")
    figure.legend(handles=[down, up], loc="outside upper center", ncols=2)
    figure.align_ylabels()
    return figure


def _histogram(axes, own: pd.DataFrame) -> None:
    axes.grid(axis="y", visible=False)
    axes.set_yticks([])
    if own.empty:
        axes.annotate("–", (0.5, 0.5), xycoords="axes fraction", ha="center", va="center")
        return
    up = own["low"] >= 0
    for part, colour in ((own[~up], style.RIGHT), (own[up], style.WRONG)):
        axes.bar(part["low"], part["images"], part["high"] - part["low"], align="edge", color=colour)
    axes.axvline(0, color="black", linewidth=0.6)
    room_left = -own["low"].min() > own["high"].max()
    side = {"ha": "left" if room_left else "right", "va": "top", "xycoords": "axes fraction"}
    share = f"{own['share_up'].iloc[0]:.1f} % up"
    axes.annotate(share, (0.02 if room_left else 0.98, 0.96), fontsize=style.SMALL, color=style.WRONG, **side)
