"""t-SNE of images before and after reprogramming: of their features, with the embeddings of the classes' texts where
there are any, or of a classifier's output layer before labels are mapped."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from papertables.artefacts.figures import style
from papertables.artefacts.figures.sources import Sources, footer, one_seed
from papertables.results.inspections import Inspection
from papertables.specs.artefact import Artefact
from papertables.specs.spec import TRAIN_SAMPLE

CLASSES = {"test": 8, "train": 10}  # with the looks that can be told apart
IMAGES = {"test": 40, "train": TRAIN_SAMPLE}  # of a class
TEXT_MARKERS = {"descriptive": "^", "distinctive": "*", "name": "X"}
TEXTS = {
    "descriptive": "mean of descriptive sentences",
    "distinctive": "mean of distinctive sentences",
    "name": "class name",
}


@dataclass(frozen=True)
class Embeddings:
    """frame: panel (data set), state, kind (image, descriptive, distinctive, name), class, x, y, silhouette. A state is
    before or after; of several methods, before or the method's name. silhouette: the mean over the images of the state,
    by their classes, before the projection.

    panels: by data set and state the accuracies in percent, one of each method that the state is of. projected: what
    the projection is of.
    """

    frame: pd.DataFrame
    panels: dict[str, dict[str, tuple[float, ...]]]
    projected: str
    footer: str
    notes: tuple[str, ...] = ()

    @property
    def alt(self) -> str:
        texts = " with the embeddings of the classes' texts" if (self.frame["kind"] != "image").any() else ""
        states = list(dict.fromkeys(self.frame["state"]))
        after = "after reprogramming" if states == ["before", "after"] else f"after {', '.join(states[1:])}"
        return f"t-SNE of {self.projected} before and {after}{texts}, coloured by class, for {', '.join(self.panels)}."


def collect(sources: Sources) -> Embeddings:
    artefact, several = sources.planned.artefact, len(sources.planned.rows) > 1
    most, each = CLASSES[artefact.part], IMAGES[artefact.part]
    frames, panels, texts = [], {}, False
    seeds = set()
    for cell, run in sources.inspected():
        content = sources.inspection(run)
        name = cell.row.label if several else "after"
        accuracies = panels.setdefault(cell.column.label, {})
        states = {} if accuracies else {"before": "before"}
        accuracies["before"] = (*accuracies.get("before", ()), content.accuracy("before"))
        accuracies[name] = (content.accuracy("after"),)
        for shown, state in (states | {name: "after"}).items():
            frames.append(project(content, state, artefact).assign(panel=cell.column.label, state=shown))
        seeds.add(run.seed)
        texts |= artefact.embeds == "features" and bool(content.texts())
    columns = ["panel", "state", "kind", "class", "x", "y", "silhouette"]
    projected = "image features" if artefact.embeds == "features" else "the output layer before the label mapping"
    means = " and of the mean embedding of each class's texts" if texts else ""
    lowest = ", of several methods from the lowest to the highest" if several else ""
    looks = "A dot is an image, a large marker is of texts; a colour" if texts else "A marker with its colour"
    some = {"test": f"the first {each} test images", "train": f"at most {each:,} random training images"}[artefact.part]
    notes = [
        f"t-SNE with cosine distances, perplexity 30 (less for fewer points) and a fixed seed, of {projected} of "
        f"{some} of {sources.classes_note(most)}{means}; every panel has a projection of its own, so positions in two "
        "panels cannot be compared.",
        "Before the projection the mean of the images and the mean of the texts are subtracted: images and texts of "
        "CLIP lie in two separate cones."
        if texts
        else "Before the projection the mean of the images is subtracted.",
        "s: the mean silhouette of the images by their classes, with cosine distances before the projection "
        "(scikit-learn; 1: classes lie apart, 0: they touch).",
        f"{looks} is a class, the same in every panel of a data set.",
        f"The accuracy over a panel is on all {sources.images} that were looked at; before: the untrained method on "
        f"plain images{lowest}.",
    ]
    below = footer(sources, one_seed(seeds), f"{sources.images} of some classes")
    frame = pd.concat(frames)[columns] if frames else pd.DataFrame(columns=columns)
    return Embeddings(frame, panels, projected, below, tuple(notes))


def project(content: Inspection, state: str, artefact: Artefact) -> pd.DataFrame:
    """kind, class, x, y and silhouette before or after."""
    classes = np.array(content.chosen(artefact.classes, CLASSES[artefact.part]))
    most = IMAGES[artefact.part]
    images = np.concatenate([np.flatnonzero(content.labels == label)[:most] for label in classes])
    logits = artefact.embeds == "source_logits"
    texts = [] if logits else [(kind, features[classes].mean(1)) for kind, features in content.texts().items()]
    kinds = ["image"] * len(images) + [kind for kind, _ in texts for _ in classes]
    labels = np.concatenate([content.labels[images], *(classes for _ in texts)])
    shown = centred((content.source_logits(state) if logits else content.images(state))[images])
    x, y = tsne(np.concatenate([shown, *(centred(each) for _, each in texts)])).T
    names = [content.name(label) for label in labels]
    apart = silhouette(shown, content.labels[images])
    return pd.DataFrame({"kind": kinds, "class": names, "x": x, "y": y, "silhouette": apart})


def silhouette(points: np.ndarray, labels: np.ndarray) -> float:
    """The mean of (N, D) by labels (N,); not a number where these are all the same or all different."""
    from sklearn.metrics import silhouette_score
    from threadpoolctl import threadpool_limits

    if not 1 < len(np.unique(labels)) < len(labels):
        return float("nan")
    with threadpool_limits(1):
        return float(silhouette_score(points, labels, metric="cosine"))


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
    """Two data sets a line, each with its two panels and its legend; of several methods one."""
    states = max((len(accuracies) for accuracies in data.panels.values()), default=2)
    across = 1 if states > 2 else min(2, max(1, len(data.panels)))
    down = -(-max(1, len(data.panels)) // across)
    width = style.PAGE / 2 * max(across, 1 + (states > 2))
    height = 2.45 if states < 4 else 2.2
    figure = style.blank(width, 0.25 + height * down, data.footer)
    parts = figure.subfigures(down, across, squeeze=False)
    longest = max(data.frame["class"].str.len(), default=1)
    columns = (4 if longest <= 10 else 3 if longest <= 15 else 2) * (1 + (states > 2))
    for part, (name, accuracies) in zip(parts.flat, data.panels.items(), strict=False):
        _panels(part, data.frame[data.frame["panel"] == name], name, accuracies, columns)
    kinds = [kind for kind in TEXT_MARKERS if (data.frame["kind"] == kind).any()]
    if kinds:
        grey = {"linestyle": "none", "mfc": style.FAINT, "mec": "black", "mew": 0.6}
        marks = {"image": grey | {"marker": "o", "mew": 0, "markersize": 3}}
        marks |= {TEXTS[kind]: grey | {"marker": TEXT_MARKERS[kind], "markersize": 6} for kind in kinds}
        handles = [Line2D([], [], label=text, **look) for text, look in marks.items()]
        figure.legend(
            handles=handles,
            loc="outside upper center",
            ncols=4 if across > 1 or states > 2 else 2,
            title="Marker: what it is; colour: of which class",
            title_fontsize=style.SMALL,
        )
    return figure


def _panels(
    part: SubFigure, frame: pd.DataFrame, name: str, accuracies: dict[str, tuple[float, ...]], columns: int
) -> None:
    """A marker tells a class where there are images alone, else an image from a text."""
    part.suptitle(name, fontsize=8)
    classes = list(dict.fromkeys(frame["class"]))
    seen = dict(zip(classes, style.looks(classes), strict=True))
    alone = (frame["kind"] == "image").all()
    panels = part.subplots(1, len(accuracies))
    for axes, (state, own_accuracies) in zip(panels, accuracies.items(), strict=True):
        own = frame[frame["state"] == state]
        for each, look in seen.items():
            of_class = own[own["class"] == each]
            images = of_class[of_class["kind"] == "image"]
            marker = look.marker if alone else "o"
            dots = {"s": 8, "color": look.colour, "marker": marker, "edgecolors": style.FAINT, "linewidths": 0.25}
            axes.scatter(images["x"], images["y"], label=style.in_legend(style.shorten(each, 22)), **dots)
            for kind, marker in TEXT_MARKERS.items():
                texts = of_class[of_class["kind"] == kind]
                big = {"s": 45, "color": look.colour, "marker": marker, "edgecolors": "black", "linewidths": 0.7}
                axes.scatter(texts["x"], texts["y"], label=f"_{kind} {each}", zorder=3, **big)
        known = [_percent(own_accuracies)]
        known += [f"s = {apart:.2f}".replace("-", "−") for apart in own["silhouette"].dropna().unique()]
        told = f"\n{', '.join(known)}" if len(accuracies) > 3 else f" ({', '.join(known)})"
        axes.set_title(state + told, fontsize=style.SMALL)
        style.bare(axes)
        axes.spines[:].set_visible(True)
    handles, labels = panels[0].get_legend_handles_labels()
    settings = {"ncols": columns, "columnspacing": 0.8, "handletextpad": 0.1, "markerscale": 1.6}
    part.legend(handles, labels, loc="outside lower center", **settings)


def _percent(accuracies: Sequence[float]) -> str:
    """``66.7 %``, or from the lowest to the highest."""
    ends = dict.fromkeys(f"{each:.1f}" for each in (min(accuracies), max(accuracies)))
    return f"{'–'.join(ends)} %"
