"""Test images with the masks that a network makes of them, the pattern under the masks, and what comes out."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from papertables.artefacts.figures import style
from papertables.artefacts.figures.patterns import Pattern
from papertables.artefacts.figures.sources import Sources, footer, images_per_column, one_seed
from papertables.results.inspections import RULE, Inspection

STATES = ("before", "after")
CHANNELS = {1: ("mask, all channels",), 3: ("mask, red", "mask, green", "mask, blue")}
PANELS = 6
SIDE = 1.02  # inches


@dataclass(frozen=True)
class Example:
    """pictures by state, (P, P, 3) in bytes; predicted, by state the class and the confidence in the true one; masks
    (c, P, P), each value over patch × patch pixels; pattern (3, P, P), what is added to normalised pixels."""

    row: str
    dataset: str
    image: int  # number in the test part
    true: str
    predicted: dict[str, tuple[str, float]]
    pictures: dict[str, np.ndarray]
    masks: np.ndarray
    patch: int
    pattern: np.ndarray


@dataclass(frozen=True)
class Masks:
    """``frame``: row, dataset, image, true, before, after (classes predicted), confidence_before, confidence_after, and
    of each patch of the mask y, x, and its value in channel 0 to 2."""

    examples: tuple[Example, ...]
    footer: str
    notes: tuple[str, ...] = ()
    frame: pd.DataFrame = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "frame", _tidy(self.examples))

    @property
    def alt(self) -> str:
        texts = [
            f"{each.dataset}, {each.true}: predicted {each.predicted['before'][0]} before, "
            f"{each.predicted['after'][0]} after"
            for each in self.examples
        ]
        return f"Test images, their masks, the masked pattern and the reprogrammed images. {'; '.join(texts)}."


def _tidy(examples: tuple[Example, ...]) -> pd.DataFrame:
    about = ["row", "dataset", "image", "true", "before", "after", "confidence_before", "confidence_after"]
    parts = []
    for each in examples:
        cells = each.masks[:, :: each.patch, :: each.patch]
        y, x = np.indices(cells.shape[1:]).reshape(2, -1)
        channels = {f"channel{number}": channel.ravel() for number, channel in enumerate(cells)}
        names, confidences = zip(*(each.predicted[state] for state in STATES), strict=True)
        values = (each.row, each.dataset, each.image, each.true, *names, *confidences)
        parts.append(pd.DataFrame(dict(zip(about, values, strict=True)) | {"y": y, "x": x} | channels))
    return pd.concat(parts) if parts else pd.DataFrame(columns=[*about, "y", "x", "channel0", "channel1", "channel2"])


def collect(sources: Sources) -> Masks:
    per_set = images_per_column(sources.planned)
    examples, seeds, without = [], set(), {}
    for cell, run in sources.inspected():
        content = sources.inspection(run)
        if content.masks is None:
            without[cell.row.label] = None
            continue
        for number in range(min(per_set, len(content.shown))):
            examples.append(_example(cell.row.label, cell.column.label, content, number, run.options["patch"]))
        seeds.add(run.seed)
    notes = [
        f"Images by rule, not by hand: {RULE}; up to {per_set} of each data set.",
        "Masks in grey, from the smallest value of the image's masks in black to the largest in white. δ ⊙ mask is "
        "what is added to normalised pixels, from its largest absolute value below grey to the same above it. The sum "
        "is cut to the range of colours. Numbers at predictions are the confidence in the true class.",
    ]
    notes += [f"Without a mask network: {', '.join(without)}."] if without else []
    below = footer(sources, one_seed(seeds), "numbers at predictions: confidence in the true class")
    return Masks(tuple(examples), below, tuple(notes))


def _example(row: str, dataset: str, content: Inspection, number: int, patch: int) -> Example:
    image = content.shown[number]
    return Example(
        row,
        dataset,
        int(image),
        content.name(content.labels[image]),
        {
            state: (content.name(content.predicted(state)[image]), float(content.confidence(state)[image]))
            for state in STATES
        },
        {state: content.pictures(state)[number].transpose(1, 2, 0) for state in STATES},
        content.masks[number],
        int(patch),
        content.patterns[number],
    )


def draw(data: Masks) -> Figure:
    """A line per image."""
    lines = max(1, len(data.examples))
    figure = style.blank(style.PAGE, lines * (SIDE + 0.38) + 0.1, data.footer)
    grid = figure.subplots(lines, PANELS, squeeze=False)
    for axes in grid.flat:
        style.bare(axes)
        axes.spines[:].set_visible(False)
    several = len({each.row for each in data.examples}) > 1
    drawn = None
    for panels, example in zip(grid, data.examples, strict=False):
        _line(panels, example, several, titled=drawn != len(example.masks))
        drawn = len(example.masks)
    return figure


def _line(panels: np.ndarray, example: Example, several: bool, titled: bool) -> None:
    image, *channels, pattern, result = panels
    _picture(image, example, "before")
    _picture(result, example, "after")
    low, high = float(example.masks.min()), float(example.masks.max())
    for axes, values in zip(channels, example.masks, strict=False):
        axes.imshow(values, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
    channels[len(example.masks) // 2].set_xlabel(f"{_short(low)} to {_short(high)}", fontsize=style.SMALL)
    shown = Pattern(example.pattern, np.ones(example.pattern.shape[1:], bool), added=True)
    pattern.imshow(shown.image(), interpolation="nearest", vmin=0, vmax=1)
    pattern.set_xlabel(f"±{_short(shown.reach)}", fontsize=style.SMALL)
    about = [*([example.row] if several else []), example.dataset, example.true]
    about = [line for text in about for line in style.wrap(text, SIDE, lines=2)]
    image.set_ylabel("\n".join(about), fontsize=style.SMALL)
    if titled:
        titles = ("image", *CHANNELS[len(example.masks)], "δ ⊙ mask", "image + δ ⊙ mask")
        shown = (image, *channels[: len(example.masks)], pattern, result)
        for axes, title in zip(shown, titles, strict=True):
            axes.set_title(title, fontsize=style.SMALL)


def _picture(axes, example: Example, state: str) -> None:
    axes.imshow(example.pictures[state], interpolation="nearest")
    predicted, confidence = example.predicted[state]
    mark, colour = style.verdict(predicted == example.true)
    text = f"{mark} {style.shorten(predicted, 22)}\n{confidence:.2f}"
    axes.set_xlabel(text, fontsize=style.SMALL, color=colour)


def _short(value: float) -> str:
    return f"{value:.2g}".replace("-", "−")
