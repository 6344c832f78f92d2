"""Test images with their nearest sentences before and after reprogramming."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from papertables.artefacts.figures import style
from papertables.artefacts.figures.sources import Sources, footer, images_per_column, one_seed
from papertables.results.inspections import RULE, Inspection

STATES = ("before", "after")
PICTURE, GAP = 0.82, 0.06  # inches


@dataclass(frozen=True)
class State:
    """picture (P, P, 3) in bytes; the sentence nearest of each kind, over all classes, with its cosine."""

    picture: np.ndarray
    predicted: str
    nearest: dict[str, tuple[str, float]]


@dataclass(frozen=True)
class Example:
    dataset: str
    image: int  # number in the test part
    true: str
    states: dict[str, State]


@dataclass(frozen=True)
class Neighbours:
    """``frame``: dataset, image, true, state, predicted, kind, sentence, cosine."""

    examples: tuple[Example, ...]
    footer: str
    notes: tuple[str, ...] = ()
    frame: pd.DataFrame = field(init=False)

    def __post_init__(self):
        names = ["dataset", "image", "true", "state", "predicted", "kind", "sentence", "cosine"]
        object.__setattr__(self, "frame", pd.DataFrame(_lines(self.examples), columns=names))

    @property
    def alt(self) -> str:
        texts = [
            f"{each.dataset}, {each.true}: predicted {each.states['before'].predicted} before, "
            f"{each.states['after'].predicted} after"
            for each in self.examples
        ]
        return f"Test images with their nearest sentences before and after reprogramming. {'; '.join(texts)}."


def _lines(examples: tuple[Example, ...]) -> Iterator[tuple]:
    for each in examples:
        for name, state in each.states.items():
            for kind, (sentence, cosine) in state.nearest.items():
                yield each.dataset, each.image, each.true, name, state.predicted, kind, sentence, cosine


def collect(sources: Sources) -> Neighbours:
    per_set = images_per_column(sources.planned)
    examples, seeds = [], set()
    for cell, run in sources.inspected():
        content = sources.inspection(run)
        shown = range(min(per_set, len(content.shown)))
        examples += [_example(cell.column.label, content, number) for number in shown]
        seeds.add(run.seed)
    notes = (
        f"Images by rule, not by hand: {RULE}; {per_set} of each data set.",
        "Of each kind the one sampled sentence, of whatever class, whose embedding has the largest cosine with the "
        "image's; the prediction is the method's own, before: the same text side on the plain image.",
    )
    below = footer(sources, one_seed(seeds), "in brackets the cosine with the image")
    return Neighbours(tuple(examples), below, notes)


def _example(dataset: str, content: Inspection, number: int) -> Example:
    row = content.shown[number]
    states = {}
    for state in STATES:
        nearest = {
            kind: (content.sentences[kind][content.nearest(state, kind)[row]], float(content.cosines(state, kind)[row]))
            for kind in content.sentences
        }
        picture = content.pictures(state)[number].transpose(1, 2, 0)
        states[state] = State(picture, content.name(content.predicted(state)[row]), nearest)
    return Example(dataset, int(row), content.name(content.labels[row]), states)


def draw(data: Neighbours) -> Figure:
    """A line per image: its picture and its sentences before, then after."""
    half = (style.PAGE - 0.1) / 2
    width = half - PICTURE - 3 * GAP
    rows = [_texts(example, width) for example in data.examples]
    heights = [max(PICTURE, style.LINE * (2 + max(map(len, row.values())))) + 2 * GAP for row in rows]
    below = style.LINE * len(style.wrap(data.footer, style.PAGE - 0.1)) + 0.06
    total = sum(heights) + below + 0.2
    figure = style.blank(style.PAGE, total - below, data.footer)
    figure.set_layout_engine("none")
    for number, state in enumerate(STATES):
        title = f"{state} reprogramming"
        figure.text((0.05 + number * half) / style.PAGE, 1 - 0.06 / total, title, va="top", weight="bold")
    top = total - 0.25
    for example, texts, height in zip(data.examples, rows, heights, strict=True):
        for number, state in enumerate(STATES):
            left = 0.05 + number * half
            _half(figure, example, state, texts[state], (left, top), total)
        top -= height
    return figure


def _texts(example: Example, width: float) -> dict[str, list[str]]:
    """By state the wrapped lines of its nearest sentences."""
    return {
        name: [
            line
            for kind, (sentence, cosine) in state.nearest.items()
            for line in style.wrap(f"{kind} ({cosine:.2f}): {sentence}", width, lines=3)
        ]
        for name, state in example.states.items()
    }


def _half(figure: Figure, example: Example, state: str, lines: list[str], corner: tuple[float, float], total: float):
    left, top = corner
    box = (left / style.PAGE, (top - PICTURE) / total, PICTURE / style.PAGE, PICTURE / total)
    axes = figure.add_axes(box, label=f"{example.dataset} {example.image} {state}")
    axes.imshow(example.states[state].picture, interpolation="nearest")
    style.bare(axes)
    axes.spines[:].set_visible(True)
    x = (left + PICTURE + GAP) / style.PAGE
    small = {"fontsize": style.SMALL, "va": "top"}
    predicted = example.states[state].predicted
    verdict, colour = style.verdict(predicted == example.true)
    about = f"{example.dataset}, true: {style.shorten(example.true, 24)}"
    figure.text(x, top / total, about, **small)
    says = f"{verdict} predicted: {style.shorten(predicted, 28)}"
    figure.text(x, (top - style.LINE) / total, says, color=colour, weight="bold", **small)
    figure.text(x, (top - 2 * style.LINE) / total, "\n".join(lines), linespacing=1.2, **small)
