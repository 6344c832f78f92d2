"""What was learned in pixels: the first seed's frame or watermark, per method and data set."""

from dataclasses import dataclass, field
from math import ceil

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from safetensors import safe_open

from papertables.artefacts.figures import style
from papertables.artefacts.figures.sources import Sources, footer, one_seed
from papertables.base.seals import Damaged
from papertables.results.store import Store
from papertables.specs.spec import RunSpec

ACROSS = 6  # data sets
NEUTRAL = 0.92  # grey of pixels that belong to the image


@dataclass(frozen=True)
class Pattern:
    """values (3, P, P): in [0, 1] what the frame's pixels are, or what is added to normalised pixels where
    ``added``; mask (P, P): what belongs to it."""

    values: np.ndarray
    mask: np.ndarray
    added: bool

    @property
    def reach(self) -> float:
        """The largest absolute value that is added."""
        return float(np.abs(self.values[:, self.mask]).max())

    def image(self) -> np.ndarray:
        """(P, P, 3) in [0, 1]; what is added lies symmetrically around grey."""
        if self.added:
            shown = 0.5 + 0.5 * self.values / (self.reach or 1.0)
            return np.where(self.mask, shown, 0.5).transpose(1, 2, 0)
        return np.where(self.mask, self.values, NEUTRAL).transpose(1, 2, 0)


@dataclass(frozen=True)
class Patterns:
    """By row and column. ``frame``: row, column, y, x, red, green, blue of every trained pixel."""

    patterns: dict[tuple[str, str], Pattern]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    footer: str
    notes: tuple[str, ...] = ()
    frame: pd.DataFrame = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "frame", _tidy(self.patterns))

    @property
    def alt(self) -> str:
        return f"Learned patterns as images, {', '.join(self.rows)} on {', '.join(self.columns)}."


def collect(sources: Sources) -> Patterns:
    planned, store = sources.planned, sources.store
    found = {}
    for cell, runs in sources.cells():
        first = [run for run in runs if run.seed == cell.members[0].runs[0].seed and run.training]
        if first and has_program(first[0]):
            found[cell.row.label, cell.column.label] = read_pattern(store, first[0], planned.selection)
    shown = {row for row, _ in found}
    rows = [value.label for value in planned.rows]
    without = [row for row in rows if row not in shown]
    notes = [
        "A padded method shows the pixels of its frame, the image lies in the grey; a watermark, or a program under "
        "masks, shows what is added to normalised pixels, from its largest absolute value (under each) below grey to "
        "the same above it."
    ]
    notes += [f"Without a pattern in pixels: {', '.join(without)}."] if without else []
    seeds = {cell.members[0].runs[0].seed for cell in planned.cells} - {None}
    return Patterns(
        found,
        tuple(row for row in rows if row in shown),
        tuple(value.label for value in planned.columns),
        footer(sources, one_seed(seeds), "±: range of what is added to normalised pixels"),
        tuple(notes),
    )


def read_pattern(store: Store, run: RunSpec, selection: str) -> Pattern:
    """From the stored learner of a run whose options say where its frame is."""
    path, name = store.checked_learner(run.id), f"{selection}.pixels.program"
    try:
        with safe_open(path, "np") as file:
            program = file.get_tensor(name)  # (3, P, P)
    except Exception as error:
        raise Damaged(path, error) from None
    return pattern_of(program, run)


def has_program(run: RunSpec) -> bool:
    return run.method == "smm" or bool({"inner", "pad"} & set(run.options))


def pattern_of(program: np.ndarray, run: RunSpec) -> Pattern:
    """The frame of a program (3, P, P), which the options of its run describe; without any it is the whole image."""
    size = program.shape[-1]
    inner = run.options.get("inner", size - 2 * run.options.get("pad", size / 2))
    before, inner = int(size - inner + 1) // 2, int(inner)
    mask = np.ones((size, size), bool)
    mask[before : before + inner, before : before + inner] = False
    added = "inner" not in run.options
    return Pattern(program if added else 1 / (1 + np.exp(-program.astype(np.float64))), mask, added)


def _tidy(patterns: dict[tuple[str, str], Pattern]) -> pd.DataFrame:
    parts = []
    for (row, column), pattern in patterns.items():
        y, x = np.nonzero(pattern.mask)
        red, green, blue = pattern.values[:, y, x]
        pixels = {"row": row, "column": column, "y": y, "x": x, "red": red, "green": green, "blue": blue}
        parts.append(pd.DataFrame(pixels))
    return pd.concat(parts) if parts else pd.DataFrame(columns=["row", "column", "y", "x", "red", "green", "blue"])


def draw(data: Patterns) -> Figure:
    """Methods × data sets, in bands of at most ``ACROSS`` data sets."""
    across, down = min(ACROSS, max(1, len(data.columns))), max(1, len(data.rows))
    bands = ceil(max(1, len(data.columns)) / across)
    width = style.PAGE if across > 4 else style.COLUMN
    side = (width - 0.35) / across
    figure = style.blank(width, bands * (0.25 + down * (side + 0.14)), data.footer)
    grid = figure.subplots(bands * down, across, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for j, column in enumerate(data.columns):
        for i, row in enumerate(data.rows):
            axes = grid[j // across * down + i, j % across]
            _panel(axes, data.patterns.get((row, column)))
            if i == 0:
                axes.set_title(column, fontsize=style.SMALL)
            if j % across == 0:
                axes.set_ylabel(row)
    return figure


def _panel(axes, pattern: Pattern | None) -> None:
    axes.set_axis_on()
    style.bare(axes)
    axes.spines[:].set_visible(False)
    if pattern is None:
        axes.text(0.5, 0.5, "–", ha="center", va="center", transform=axes.transAxes)
        return
    axes.imshow(pattern.image(), interpolation="nearest", vmin=0, vmax=1)
    if pattern.added:
        axes.set_xlabel(f"±{pattern.reach:.2g}", fontsize=style.SMALL, labelpad=2)
