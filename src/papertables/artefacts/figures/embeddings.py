"""t-SNE of image embeddings before and after reprogramming, with the embeddings of the attributes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from papertables.artefacts.figures import style
from papertables.artefacts.figures.sources import Sources, footer, one_seed
from papertables.embed import Embedded, read

CLASSES = 8  # as many as there are colours
IMAGES = 40  # of a class
STATES = ("before", "after")
TEXT_MARKERS = {"descriptive": "^", "distinctive": "*", "name": "X"}
TEXTS = {
    "descriptive": "mean of descriptive sentences",
    "distinctive": "mean of distinctive sentences",
    "name": "class name",
}


@dataclass(frozen=True)
class Embeddings:
    """frame: panel (data set), state (before, after), kind (image, descriptive, distinctive, name), class, x, y.

    panels: by data set the accuracy in percent before and after.
    """

    frame: pd.DataFrame
    panels: dict[str, tuple[float, float]]
    footer: str
    notes: tuple[str, ...] = ()

    @property
    def alt(self) -> str:
        return (
            "t-SNE of image embeddings before and after reprogramming with the embeddings of the attributes, coloured "
            f"by class, for {', '.join(self.panels)}."
        )


def collect(sources: Sources) -> Embeddings:
    frames, panels = [], {}
    seeds = set()
    for cell, run in sources.embedded_runs():
        content = read(sources.embedded[run.id])
        panels[cell.column.label] = (content.accuracy("before"), content.accuracy("after"))
        frames.append(project(content).assign(panel=cell.column.label))
        seeds.add(run.seed)
    columns = ["panel", "state", "kind", "class", "x", "y"]
    notes = (
        f"t-SNE with cosine distances, perplexity 30 (less for fewer points) and a fixed seed, of the first {IMAGES} "
        f"test images of each of the first {CLASSES} classes and of the mean embedding of each class's sampled "
        "sentences; every panel has a projection of its own, so positions in two panels cannot be compared.",
        "Before the projection the mean of the images and the mean of the texts are subtracted: images and texts of "
        "CLIP lie in two separate cones.",
        "The accuracy over a panel is on all test images; before: the same text side on plain images.",
    )
    below = footer(sources, one_seed(seeds), f"first {CLASSES} classes, {IMAGES} test images of each")
    frame = pd.concat(frames)[columns] if frames else pd.DataFrame(columns=columns)
    return Embeddings(frame, panels, below, notes)


def project(content: Embedded) -> pd.DataFrame:
    """state, kind, class, x, y."""
    classes = np.arange(min(CLASSES, len(content.class_names)))
    images = np.concatenate([np.flatnonzero(content.labels == label)[:IMAGES] for label in classes])
    texts = [(kind, features[classes].mean(1)) for kind, features in content.texts().items()]
    kinds = ["image"] * len(images) + [kind for kind, _ in texts for _ in classes]
    labels = np.concatenate([content.labels[images], *(classes for _ in texts)])
    names = [content.class_names[label].replace("_", " ") for label in labels]
    parts = []
    for state in STATES:
        points = np.concatenate([centred(content.images(state)[images]), *(centred(each) for _, each in texts)])
        x, y = tsne(points).T
        parts.append(pd.DataFrame({"state": state, "kind": kinds, "class": names, "x": x, "y": y}))
    return pd.concat(parts)


def centred(features: np.ndarray) -> np.ndarray:
    """(N, D): the mean subtracted, then of length 1."""
    moved = features - features.mean(0)
    return moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12)


def tsne(points: np.ndarray) -> np.ndarray:
    """(N, D) to (N, 2), on one thread so that sums have one order."""
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(30, (len(points) - 1) / 3)
    with threadpool_limits(1):
        return TSNE(metric="cosine", init="random", perplexity=perplexity, random_state=0).fit_transform(points)


def draw(data: Embeddings) -> Figure:
    """Two data sets a line, each with its two panels and its legend."""
    across = min(2, max(1, len(data.panels)))
    down = -(-max(1, len(data.panels)) // across)
    figure = style.blank(across * style.PAGE / 2, 0.25 + 2.45 * down, data.footer)
    parts = figure.subfigures(down, across, squeeze=False)
    longest = max(data.frame["class"].str.len(), default=1)
    columns = 4 if longest <= 10 else 3 if longest <= 15 else 2
    for part, (name, accuracies) in zip(parts.flat, data.panels.items(), strict=False):
        _pair(part, data.frame[data.frame["panel"] == name], name, accuracies, columns)
    kinds = [kind for kind in TEXT_MARKERS if (data.frame["kind"] == kind).any()]
    grey = {"linestyle": "none", "mfc": style.FAINT, "mec": "black", "mew": 0.6}
    marks = {TEXTS[kind]: grey | {"marker": TEXT_MARKERS[kind], "markersize": 6} for kind in kinds}
    marks |= {"image": grey | {"marker": "o", "mew": 0, "markersize": 3}}
    handles = [Line2D([], [], label=text, **look) for text, look in marks.items()]
    figure.legend(handles=handles, loc="outside upper center", ncols=3 if across > 1 else 2)
    return figure


def _pair(part: SubFigure, frame: pd.DataFrame, name: str, accuracies: tuple[float, float], columns: int) -> None:
    part.suptitle(name, fontsize=8)
    classes = list(dict.fromkeys(frame["class"]))
    seen = dict(zip(classes, style.looks(classes), strict=True))
    panels = part.subplots(1, 2)
    for axes, state, accuracy in zip(panels, STATES, accuracies, strict=True):
        own = frame[frame["state"] == state]
        for each, look in seen.items():
            of_class = own[own["class"] == each]
            images = of_class[of_class["kind"] == "image"]
            dots = {"s": 8, "color": look.colour, "marker": look.marker, "edgecolors": style.FAINT, "linewidths": 0.25}
            axes.scatter(images["x"], images["y"], label=style.shorten(each, 22), **dots)
            for kind, marker in TEXT_MARKERS.items():
                texts = of_class[of_class["kind"] == kind]
                big = {"s": 45, "color": look.colour, "marker": marker, "edgecolors": "black", "linewidths": 0.7}
                axes.scatter(texts["x"], texts["y"], label=f"_{kind} {each}", zorder=3, **big)
        axes.set_title(f"{state} ({accuracy:.1f} %)", fontsize=style.SMALL)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(True)
    handles, labels = panels[0].get_legend_handles_labels()
    settings = {"ncols": columns, "columnspacing": 0.8, "handletextpad": 0.1, "markerscale": 1.6}
    part.legend(handles, labels, loc="outside lower center", **settings)
