"""Single test images, and how sure each method is of their true class before and after reprogramming."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from papertables.artefacts.figures import style
from papertables.artefacts.figures.sources import Sources, footer, images_per_column, one_seed
from papertables.results.inspections import RULE, Inspection

ACROSS = 4  # images
STATES = ("before", "after")
BAR = 0.36  # of the distance of two methods


@dataclass(frozen=True)
class Example:
    """picture (P, P, 3) in bytes of a test image, by its number in the test part."""

    dataset: str
    image: int
    true: str
    picture: np.ndarray


@dataclass(frozen=True)
class Confidence:
    """frame: column, image, true, row, state (before, after), predicted, confidence (probability of the true class).
    rows: look by name."""

    frame: pd.DataFrame
    examples: tuple[Example, ...]
    rows: dict[str, style.Look]
    footer: str
    notes: tuple[str, ...] = ()

    @property
    def alt(self) -> str:
        after = self.frame[self.frame["state"] == "after"]
        texts = [
            f"{each.dataset}, {each.true}: "
            + ", ".join(f"{line.row} {line.confidence:.2f}" for line in _of(after, each).itertuples())
            for each in self.examples
        ]
        return f"Test images with bars of the confidence in the true class; after reprogramming {'; '.join(texts)}."


def _of(frame: pd.DataFrame, example: Example) -> pd.DataFrame:
    return frame[(frame["column"] == example.dataset) & (frame["image"] == example.image)]


def collect(sources: Sources) -> Confidence:
    per_set = images_per_column(sources.planned)
    found: dict[str, dict[str, Inspection]] = {}
    seeds = set()
    for cell, run in sources.inspected():
        found.setdefault(cell.column.label, {})[cell.row.label] = sources.inspection(run)
        seeds.add(run.seed)
    examples, lines = [], []
    for column, contents in found.items():
        for image, picture in _chosen(contents, per_set):
            true = next(content.name(content.labels[image]) for content in contents.values())
            examples.append(Example(column, image, true, picture))
            for row, content in contents.items():
                for state in STATES:
                    predicted = content.name(content.predicted(state)[image])
                    lines.append((column, image, true, row, state, predicted, float(content.confidence(state)[image])))
    names = ["column", "image", "true", "row", "state", "predicted", "confidence"]
    notes = (
        f"Images by rule, not by hand: of each method's run, {RULE}; of all these the {per_set} of each data set on "
        "which the methods' confidences after reprogramming lie furthest apart.",
        "Before: the untrained method on the plain image. ✓ and ✗ say whether the prediction is right.",
    )
    below = footer(sources, one_seed(seeds))
    return Confidence(pd.DataFrame(lines, columns=names), tuple(examples), style.of_rows(sources.planned), below, notes)


def _chosen(contents: dict[str, Inspection], most: int) -> list[tuple[int, np.ndarray]]:
    """Images with their pictures, among all that are shown of some method."""
    pictures = {}
    for content in contents.values():
        shown = zip(content.shown, content.pictures("before"), strict=True)
        pictures |= {int(image): picture.transpose(1, 2, 0) for image, picture in shown}
    after = np.stack([content.confidence("after") for content in contents.values()])
    spread = {image: float(after[:, image].max() - after[:, image].min()) for image in pictures}
    ordered = sorted(pictures, key=lambda image: (-spread[image], image))
    return [(image, pictures[image]) for image in ordered[:most]]


def draw(data: Confidence) -> Figure:
    heights = (0.95, 0.3 + 0.31 * len(data.rows))
    figure, grid = style.panels(len(data.examples), ACROSS, sum(heights) + 0.35, data.footer, per=2, ratios=heights)
    for (top, axes), example in zip(grid, data.examples, strict=True):
        style.bare(top)
        top.spines[:].set_visible(False)
        top.imshow(example.picture, interpolation="nearest")
        top.set_title(f"{example.dataset}:\n{style.shorten(example.true, 24)}", fontsize=style.SMALL)
        own = _of(data.frame, example)
        for place, (name, look) in enumerate(data.rows.items()):
            _bars(axes, own[own["row"] == name], example.true, place, look)
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        axes.set_xlabel("Confidence")
        axes.set_ylim(len(data.rows) - 0.4, -0.6)
        axes.set_yticks(range(len(data.rows)), data.rows if axes.get_subplotspec().is_first_col() else [])
        axes.grid(axis="y", visible=False)
    before = Patch(facecolor="white", edgecolor=style.FAINT, label="before")
    figure.legend(handles=[before, Patch(facecolor=style.FAINT, label="after")], loc="outside upper center", ncols=2)
    return figure


def _bars(axes, own: pd.DataFrame, true: str, place: int, look: style.Look) -> None:
    """One method's pictures, before above after."""
    for line in own.itertuples():
        after = line.state == "after"
        y = place + (BAR if after else -BAR) / 2
        fill = {"facecolor": look.colour if after else "white", "edgecolor": look.colour, "linewidth": 0.8}
        axes.barh(y, line.confidence, BAR, label=f"_{line.state} {line.row}", **fill)
        mark, colour = style.verdict(line.predicted == true)
        axes.annotate(
            f"{line.confidence:.2f} {mark}",
            (line.confidence, y),
            (3, 0),
            textcoords="offset points",
            va="center",
            fontsize=style.SMALL,
            color=colour,
        )
