"""How every figure looks, and how it becomes bytes that depend on nothing but what is drawn."""

import io
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from math import ceil

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from papertables.planning.planned import PlannedArtefact

COLUMN, PAGE = 3.4, 7.0  # inches: one column and the whole text of a two-column paper
DPI = 300
SMALL = 7  # points: nothing is smaller
LINE = 0.125  # inches: a line of small text
CHARACTER = 0.05  # inches: of small text, on average
FAINT = "#6b6b6b"

# Okabe and Ito; yellow comes last, for it is faint on white
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#000000", "#F0E442")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (5, 3)))
OWN = {  # the same in every figure
    "attrvr": 0,
    "ar": 1,
    "vp": 2,
    "attr_zs": 4,
    "zero_shot": 6,
    "average": 6,
    "blmp": 0,
    "blm": 1,
    "ilm": 2,
    "flm": 4,
    "rlm": 5,
    "smm": 0,
    "full": 1,
    "medium": 2,
    "narrow": 4,
    "pad": 5,
}
RIGHT, WRONG = "#0072B2", "#D55E00"

SETTINGS = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "legend.handlelength": 2.4,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e2e2e2",
    "grid.linewidth": 0.6,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.hashsalt": "papertables",  # the same ids every time
    "text.parse_math": False,  # a $ in a label is one
}


@dataclass(frozen=True)
class Look:
    colour: str
    marker: str
    dashes: str | tuple


def looks(keys: Sequence[str], methods: Sequence[str] = ()) -> list[Look]:
    """One for every key; colour, marker and dashes differ. ``OWN`` ones are fixed, and so are those of a paper's
    ``methods``, all of them in its order; the others take what is left."""
    numbers = _numbered(keys, OWN | _numbered([*methods, "average"], OWN))
    return [_look(numbers[key]) for key in keys]


def of_rows(planned: PlannedArtefact, names: Sequence[str] = ()) -> dict[str, Look]:
    """By label of a row; ``names`` may add that of their average."""
    keys, names = [value.key for value in planned.rows], names or [value.label for value in planned.rows]
    keys += ["average"] * (len(names) - len(keys))
    return dict(zip(names, looks(keys, tuple(planned.paper.methods)), strict=True))


def _numbered(keys: Sequence[str], fixed: Mapping[str, int]) -> dict[str, int]:
    taken = {fixed[key] for key in keys if key in fixed}
    free = (number for number in count() if number not in taken)
    return {key: fixed[key] if key in fixed else next(free) for key in keys}


def _look(number: int) -> Look:
    turn, place = divmod(number, len(COLOURS))
    other = (place + 3 * turn) % len(MARKERS)
    return Look(COLOURS[place], MARKERS[other], DASHES[other])


@contextmanager
def style() -> Iterator[None]:
    """Our settings over matplotlib's own defaults, whatever the user's are; before is after."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        yield


def blank(width: float, height: float, footer: str) -> Figure:
    """A figure of that size in inches, with ``footer`` below and the rest for constrained panels."""
    lines = wrap(footer, width - 0.1)
    below = LINE * len(lines) + 0.06
    total = height + below
    figure = Figure((width, total), layout="constrained")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(rect=(0, below / total, 1, height / total), w_pad=0.03, h_pad=0.03)
    figure.text(0.05 / width, 0.03 / total, "\n".join(lines), fontsize=SMALL, color=FAINT, va="bottom")
    return figure


def panels(
    count: int,
    most: int,
    height: float,
    footer: str,
    per: int = 1,
    ratios: Sequence[float] | None = None,
    sharey: bool = False,
) -> tuple[Figure, np.ndarray]:
    """A figure of ``count`` panels, at most ``most`` in a line and ``height`` inches each: the axes (count, per), of
    which those of a panel lie below each other, with heights in these ratios."""
    across = min(most, max(1, count))
    down = ceil(max(1, count) / across)
    figure = blank(PAGE if across > 2 else COLUMN, 0.35 + height * down, footer)
    heights = down * list(ratios or [1] * per)
    grid = figure.subplots(per * down, across, squeeze=False, sharey=sharey, height_ratios=heights)
    axes = grid.reshape(down, per, across).swapaxes(1, 2).reshape(-1, per)
    for left_over in axes[count:].flat:
        left_over.set_axis_off()
    return figure, axes[:count]


def bare(axes) -> None:
    """Without ticks and grid: for pictures."""
    axes.set(xticks=[], yticks=[])
    axes.grid(False)


def verdict(right: bool) -> tuple[str, str]:
    """Mark and colour of a prediction."""
    return ("✓", RIGHT) if right else ("✗", WRONG)


def wrap(text: str, width: float, lines: int | None = None) -> list[str]:
    """Small text that fits into ``width`` inches; what needs more than ``lines`` ends in an ellipsis."""
    return textwrap.wrap(text, max(8, int(width / CHARACTER)), max_lines=lines, placeholder=" …") or [""]


def in_legend(label: str) -> str:
    """A label that a legend shows, though it begins with an underscore, which matplotlib leaves out."""
    return f" {label}" if label.startswith("_") else label


def shorten(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 1].rstrip() + "…"


def render(figure: Figure) -> dict[str, bytes]:
    """As .pdf, .svg and .png, without dates and versions: the same bytes every time."""
    unnamed = {
        ".pdf": ("pdf", {"Creator": None, "Producer": None, "CreationDate": None}),
        ".svg": ("svg", {"Creator": None, "Date": None, "Format": None, "Type": None}),
        ".png": ("png", {"Software": None}),
    }
    made = {}
    for suffix, (format, metadata) in unnamed.items():
        buffer = io.BytesIO()
        figure.savefig(buffer, format=format, dpi=DPI, metadata=metadata)
        made[suffix] = buffer.getvalue()
    return made | {".svg": _clips_by_place(made[".svg"])}


def _clips_by_place(svg: bytes) -> bytes:
    """matplotlib names a clip by its corners to the last bit, which a layout's solver does not repeat in another
    process; here it is named by its place in the file."""
    for place, name in enumerate(re.findall(rb'<clipPath id="(\w+)"', svg)):
        svg = svg.replace(name, b"clip%d" % place)
    return svg
