"""What runs say of a comparison: effect, interval, probability of improvement, ranks.

A comparison is over strata (data sets, or a data set tested on another), of each of which there are as many runs of
every method as there are seeds, in the same order. scipy counts; what it counts is here.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

RESAMPLES = 4999
LEVEL = 0.95
MOST_SEEDS = 1000  # more are not asked for

Statistic = Callable[[np.ndarray], np.ndarray]  # of means over seeds, (..., quantities, strata) to (...)


@dataclass(frozen=True)
class Estimate:
    """interval: None where the spread over seeds is unknown. error: the standard error of the effect over seeds."""

    effect: float
    interval: tuple[float, float] | None
    error: float | None
    seeds: int


def estimate(strata: Sequence[np.ndarray], statistic: Statistic, exact: bool) -> Estimate:
    """The statistic of the means over seeds, and its percentile interval by the stratified bootstrap (Agarwal et al.
    2021): seeds are resampled within each stratum, all quantities of a seed together, so that what is paired stays so.

    strata: (quantities, seeds) each. exact: nothing depends on a seed, so there is no spread.
    """
    effect = float(statistic(np.stack([each.mean(-1) for each in strata], -1)))
    seeds = min(each.shape[-1] for each in strata)
    if exact:
        return Estimate(effect, (effect, effect), 0.0, seeds)
    if seeds < 2:
        return Estimate(effect, None, None, seeds)

    def resampled(*places: np.ndarray, axis: int = -1) -> np.ndarray:
        means = [each[:, np.asarray(place, int)].mean(axis) for each, place in zip(strata, places, strict=True)]
        return statistic(np.moveaxis(np.stack(means, -1), 0, -2))

    places = tuple(np.arange(each.shape[-1]) for each in strata)
    found = stats.bootstrap(
        places,
        resampled,
        n_resamples=RESAMPLES,
        batch=500,
        vectorized=True,
        axis=-1,
        confidence_level=LEVEL,
        method="percentile",
        rng=0,
    )
    low, high = map(float, found.confidence_interval)
    return Estimate(effect, (low, high), float(found.standard_error) * math.sqrt(seeds / (seeds - 1)), seeds)


def seeds_needed(found: Estimate, bound: float) -> int | None:
    """How many seeds would tell the effect from a bound, were it what it is: its error falls with their root. None
    where they are equal, or more than anybody trains."""
    gap = abs(found.effect - bound)
    if not found.error or not gap:
        return None
    needed = math.ceil(found.seeds * (stats.norm.ppf((1 + LEVEL) / 2) * found.error / gap) ** 2)
    return max(needed, found.seeds + 1) if needed <= MOST_SEEDS else None


def probability_of_improvement(of: Sequence[np.ndarray], over: Sequence[np.ndarray]) -> float:
    """That a run of the one is above a run of the other, ties half, averaged over strata (Agarwal et al. 2021)."""
    pairs = zip(of, over, strict=True)
    return float(np.mean([stats.mannwhitneyu(a, b).statistic / (len(a) * len(b)) for a, b in pairs]))


def mean_ranks(scores: np.ndarray) -> np.ndarray:
    """(methods, strata) to (methods,): 1 is best, ties share theirs."""
    return stats.rankdata(-scores, axis=0).mean(-1)


def critical_difference(methods: int, strata: int) -> float:
    """By how much mean ranks are apart where two methods differ, by the Nemenyi test at 5 % (Demšar 2006)."""
    quantile = stats.studentized_range.ppf(LEVEL, methods, np.inf) / math.sqrt(2)
    return float(quantile * math.sqrt(methods * (methods + 1) / (6 * strata)))
