"""Which of several numbers are best and second, and how methods stand over data sets: mean rank and win rate."""

from collections.abc import Sequence
from typing import Literal

import pandas as pd

from papertables.specs.spec import Model

Place = Literal["best", "second"]
FULL = 100.0  # percent: what several methods reach says nothing of them


class Standing(Model):
    """Of a method among those that it stands with, over data sets. rank: the mean, 1 is best, ties share theirs.
    win_rate: the share of the others that it beats on a data set, a tie as half, averaged over data sets (as HELM
    counts it); from 0 to 1."""

    rank: float
    win_rate: float


def places(numbers: Sequence[float | None]) -> list[Place | None]:
    """The best and the second of numbers, as they are printed with one digit. Nothing is best where all are the same,
    nor a 100.0 that several reach."""
    printed = [None if number is None else round(number, 1) for number in numbers]
    known = [number for number in printed if number is not None]
    best, second = [*sorted(set(known), reverse=True), None, None][:2]
    if second is None or (best == FULL and known.count(best) > 1):
        return [None] * len(printed)
    named: dict[float | None, Place] = {second: "second", best: "best"}
    return [named.get(number) if number is not None else None for number in printed]


def standings(grid: Sequence[Sequence[float | None]]) -> list[Standing | None]:
    """Of each row of a grid, methods by data sets; None for one without any number, and for all where there is nothing
    to compare. A data set counts that two methods at least have a number on."""
    frame = pd.DataFrame(grid, dtype=float).round(1)
    frame = frame.loc[:, frame.notna().sum() > 1]
    if frame.shape[1] < 2:
        return [None] * len(grid)
    ranks = frame.rank(ascending=False)
    wins = (ranks.count() - ranks) / (ranks.count() - 1)
    means = zip(ranks.mean(axis=1), wins.mean(axis=1), strict=True)
    return [None if pd.isna(rank) else Standing(rank=rank, win_rate=win) for rank, win in means]
