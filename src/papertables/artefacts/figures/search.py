"""The weight of every combination of attributes over the epochs of a search: the heaviest stand out."""

from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from papertables.artefacts.figures import style
from papertables.artefacts.figures.sources import Sources
from papertables.data.catalog import dataset

MOST = 5  # combinations with a colour of their own


@dataclass(frozen=True)
class Weights:
    """frame: combination, epoch, weight, the mean over seeds of the softmax. heaviest: combinations, in order of their
    weight after the last epoch."""

    frame: pd.DataFrame
    heaviest: dict[str, style.Look]
    footer: str
    notes: tuple[str, ...] = ()

    @property
    def alt(self) -> str:
        names = ", ".join(self.heaviest)
        return f"Lines: weight of {self.frame['combination'].nunique()} combinations over epochs, the heaviest {names}."


def collect(sources: Sources) -> Weights:
    results = sources.searches()
    rows = [
        (f"({', '.join(combination)})", epoch, weight)
        for result in results
        for epoch, weights in enumerate(result.weights, start=1)
        for combination, weight in zip(result.combinations, weights, strict=True)
    ]
    frame = pd.DataFrame(rows, columns=["combination", "epoch", "weight"])
    frame = frame.groupby(["combination", "epoch"], sort=False, as_index=False)["weight"].mean()
    last = frame[frame["epoch"] == frame["epoch"].max()].sort_values("weight", ascending=False, kind="stable")
    names = list(last["combination"][:MOST])
    seeds = ", ".join(str(result.spec.seed) for result in results)
    winners = "; ".join(f"seed {result.spec.seed}: ({', '.join(result.winner)})" for result in results)
    where = dataset(results[0].spec.dataset).label if results else "nothing yet"
    notes = (f"Searched on {where}. Heaviest after the last epoch: {winners}.",) if results else ()
    below = f"Scale {sources.planned.scope.scale.name}; mean over seeds {seeds}; {where}."
    return Weights(frame, dict(zip(names, style.looks(names), strict=True)), below, notes)


def draw(data: Weights) -> Figure:
    figure = style.blank(style.COLUMN, 2.2 + 0.15 * len(data.heaviest), data.footer)
    axes = figure.subplots()
    for name, own in data.frame.groupby("combination", sort=False):
        if name not in data.heaviest:
            axes.plot(own["epoch"], own["weight"], color="#c4c4c4", linewidth=0.6, label=f"_{name}")
    for name, look in data.heaviest.items():
        own = data.frame[data.frame["combination"] == name]
        axes.plot(own["epoch"], own["weight"], color=look.colour, linestyle=look.dashes, label=name)
    axes.set_xlabel("Epoch")
    axes.set_ylabel("Weight of the combination")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if data.heaviest:
        figure.legend(loc="outside upper left", ncols=1)
    return figure
