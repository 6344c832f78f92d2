"""How one run comes about: its pattern, the heaviest source labels, its loss and the change of its mapping."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from papertables.artefacts.figures import style
from papertables.artefacts.figures.patterns import Pattern, pattern_of
from papertables.artefacts.figures.sources import Sources, footer, one_seed
from papertables.artefacts.figures.top_labels import made_for
from papertables.base.errors import UserError
from papertables.results.inspections import Inspection
from papertables.results.metrics import Metrics
from papertables.specs.spec import RunSpec

CLASSES = 6
PICTURE = 1.0  # inches


@dataclass(frozen=True)
class Course:
    """The course of one run. patterns: by epoch after which they were kept. labels: by class, the heaviest source label
    and its weight at these epochs. losses and changes: by epoch, the change of the matrix being that before it."""

    row: str
    column: str
    patterns: dict[int, Pattern]
    labels: dict[str, list[tuple[str, float]]]
    losses: dict[int, float]
    changes: dict[int, float]


@dataclass(frozen=True)
class Evolution:
    """``frame``: row, column, quantity (train_loss, change, weight), epoch, class and source of a weight, value."""

    courses: tuple[Course, ...]
    footer: str
    notes: tuple[str, ...] = ()
    frame: pd.DataFrame = field(init=False)

    def __post_init__(self):
        names = ["row", "column", "quantity", "epoch", "class", "source", "value"]
        object.__setattr__(self, "frame", pd.DataFrame(_lines(self.courses), columns=names))

    @property
    def alt(self) -> str:
        texts = [f"{each.row} on {each.column}, after epochs {_and(each.patterns)}" for each in self.courses]
        return (
            "The trained pattern and the heaviest source labels of some classes over epochs, with curves of the "
            f"training loss and of the change of the mapping: {'; '.join(texts)}."
        )


def _and(values) -> str:
    return ", ".join(str(value) for value in values)


def _lines(courses: tuple[Course, ...]) -> Iterator[tuple]:
    for each in courses:
        for quantity, values in (("train_loss", each.losses), ("change", each.changes)):
            for epoch, value in values.items():
                yield each.row, each.column, quantity, epoch, None, None, value
        for label, ranked in each.labels.items():
            for epoch, (source, weight) in zip(each.patterns, ranked, strict=True):
                yield each.row, each.column, "weight", epoch, label, source, weight


def collect(sources: Sources) -> Evolution:
    courses, seeds, named = [], set(), sources.planned.artefact.classes
    for cell, run in sources.inspected():
        history = sources.mappings(run)
        if "programs" not in history:
            path = sources.store.mappings(run.id)
            raise UserError(f"{path}: holds no patterns: {sources.mend(run)}")
        content, metrics = sources.inspection(run), sources.metrics[run.id]
        courses.append(course(cell.row.label, cell.column.label, run, history, content, metrics, named))
        seeds.add(run.seed)
    notes = (
        f"The pattern after an epoch, and of some classes the source label that weighed most in it: {_shown(named)}the "
        f"{CLASSES} classes whose heaviest label changes most often over these epochs, then in their order.",
        "The change of the mapping is the Frobenius norm of the difference of two mappings in a row (of one-to-one "
        "mappings, of the matrices they stand for).",
    )
    return Evolution(tuple(courses), footer(sources, one_seed(seeds)), notes)


def _shown(named: Sequence[str]) -> str:
    return f"of the paper ({', '.join(named)}), of a data set without them " if named else ""


def course(
    row: str,
    column: str,
    run: RunSpec,
    history: dict[str, np.ndarray],
    content: Inspection,
    metrics: Metrics,
    named: Sequence[str] = (),
) -> Course:
    epochs = [int(epoch) for epoch in history["program_epochs"]]
    used = [made_for(history["epochs"], epoch) for epoch in epochs]
    heaviest = history["sources"][used, :, 0]  # (G, C)
    often = [len(set(own)) for own in heaviest.T.tolist()]
    known = content.chosen(named, len(often))
    classes = sorted(known, key=lambda label: -often[label])[:CLASSES]
    weights = history["weights"][used, :, 0]
    changes = zip(history["epochs"].tolist(), history["changes"].tolist(), strict=True)
    return Course(
        row,
        column,
        {
            epoch: pattern_of(own.astype(np.float32), run)
            for epoch, own in zip(epochs, history["programs"], strict=True)
        },
        {
            content.name(label): [
                (content.source_names[source], float(weight))
                for source, weight in zip(heaviest[:, label], weights[:, label], strict=True)
            ]
            for label in classes
        },
        {epoch.epoch: epoch.train_loss for epoch in metrics.curve if epoch.train_loss is not None},
        {epoch: change for epoch, change in changes if not np.isnan(change)},
    )


def draw(data: Evolution) -> Figure:
    """One run below the other."""
    text = style.LINE * CLASSES
    heights = (PICTURE + text + 0.3, 1.45)
    runs = max(1, len(data.courses))
    figure = style.blank(style.PAGE, runs * (sum(heights) + 0.2), data.footer)
    parts = figure.subfigures(runs, 1, squeeze=False)[:, 0]
    several = len({each.row for each in data.courses}) > 1
    for part, each in zip(parts, data.courses, strict=False):
        part.suptitle(f"{each.row}, {each.column}" if several else each.column, fontsize=8)
        top, bottom = part.subfigures(2, 1, height_ratios=heights)
        _pictures(top, each)
        _curves(bottom, each)
    return figure


def _pictures(part: SubFigure, own: Course) -> None:
    first, *panels = part.subplots(1, 1 + len(own.patterns))
    _panel(first, "", [style.shorten(label, 20) for label in own.labels])
    first.set_xlabel(first.get_xlabel(), weight="bold")
    for number, (axes, (epoch, pattern)) in enumerate(zip(panels, own.patterns.items(), strict=True)):
        axes.imshow(pattern.image(), interpolation="nearest", vmin=0, vmax=1)
        title = f"epoch {epoch}" + (f" (±{pattern.reach:.2g})" if pattern.added else "")
        _panel(axes, title, [style.shorten(ranked[number][0], 20) for ranked in own.labels.values()])


def _panel(axes, title: str, below: list[str]) -> None:
    style.bare(axes)
    axes.spines[:].set_visible(False)
    axes.set_box_aspect(1)
    axes.set_title(title, fontsize=style.SMALL)
    axes.set_xlabel("\n".join(below), fontsize=style.SMALL)


def _curves(part: SubFigure, own: Course) -> None:
    labels = ("Training loss", "Mapping change")
    for axes, label, values in zip(part.subplots(1, 2), labels, (own.losses, own.changes), strict=True):
        axes.plot(list(values), list(values.values()), color=style.RIGHT)
        for epoch in own.patterns:
            axes.axvline(epoch, color=style.FAINT, linewidth=0.6, linestyle=":")
        axes.set(xlabel="Epoch", ylabel=label, xlim=(0, max(own.losses, default=1) + 1))
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(4))
