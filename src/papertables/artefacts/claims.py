"""From a comparison of cells to what was found, with its evidence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from papertables.artefacts import evidence
from papertables.artefacts.evidence import Estimate, Statistic
from papertables.artefacts.samples import Grid, Sample, Strata
from papertables.results.verdicts import Finding, Outcome
from papertables.specs.claims import Above, Comparison, Kept, Level, NearBest, Pairs, Sets, Spread, Times
from papertables.specs.config import Selection

SIZES = "it asks for a size, which is one of the paper's own data: here orderings alone are told"
UNBOUND = float("inf")


@dataclass(frozen=True)
class Known:
    """An artefact that is there. grids: its samples by selection, that which it shows first. world: what a sentence
    begins with where it is no statement about the paper. sizes: whether these say anything here, or orderings alone.
    unit: of its numbers, as sentences say it; numbers: what they are, where they have none."""

    id: str
    grids: dict[Selection, Grid]
    world: str = ""
    sizes: bool = True
    unit: str = " points"
    numbers: str = ""

    @property
    def grid(self) -> Grid:
        return next(iter(self.grids.values()))


@dataclass(frozen=True)
class Lines:
    """The samples of some names. strata: of each (names, halves, seeds), halves being base and new classes of a
    harmonic mean. labels: of the names. over: what they are averaged over. missing: how many strata are not known of
    all names. exact: whether no seed changes anything."""

    labels: tuple[str, ...]
    strata: tuple[np.ndarray, ...]
    over: tuple[str, ...]
    runs: tuple[str, ...]
    missing: int = 0
    exact: bool = False

    def named(self, *names: int) -> "Lines":
        """Those of some names alone."""
        labels, strata = (self.labels[name] for name in names), (each[list(names)] for each in self.strata)
        return Lines(tuple(labels), tuple(strata), self.over, self.runs, self.missing, self.exact)

    def estimate(self, statistic: Statistic) -> Estimate:
        """Of a statistic of their means over seeds, (names, halves, strata)."""
        shape = self.strata[0].shape[:2]
        flat = [each.reshape(-1, each.shape[-1]) for each in self.strata]

        def shaped(means: np.ndarray) -> np.ndarray:
            return statistic(means.reshape(*means.shape[:-2], *shape, means.shape[-1]))

        return evidence.estimate(flat, shaped, self.exact)

    def runs_of(self, name: int) -> list[np.ndarray]:
        """(seeds,) of each stratum, a number for each run."""
        return [harmonic(each[name], 0) for each in self.strata]


def findings(comparison: Comparison, tested: Known) -> list[Finding]:
    """One for each other that something is compared with, else one in all."""
    if not tested.sizes and not comparison.is_ordering:
        return [not_tested(tested.id, SIZES)]
    lines = _lines(comparison, tested.grid)
    if isinstance(lines, str):
        return [not_tested(tested.id, lines)]
    told = _told(comparison, lines, tested)
    beside = {"artefact": tested.id, "runs": lines.runs, **_ranks(comparison, lines)}
    unit = {"unit": _unit(comparison, lines, tested)}
    return [Finding(**unit | each | {"sentence": tested.world + each["sentence"]}, **beside) for each in told]


def _unit(comparison: Comparison, lines: Lines, tested: Known) -> str:
    """Of what an effect is."""
    match comparison:
        case Sets():
            return "data sets"
        case Times():
            return "times as much"
        case Kept():
            return "of the gain"
    return tested.unit.strip() or tested.numbers or (lines.over[0] if comparison.at else lines.labels[0])


def not_tested(artefact: str, why: str) -> Finding:
    return Finding(verdict="not tested here", sentence=f"{artefact}: {why}.", artefact=artefact)


def lines_of(grid: Grid, names: Sequence[str], at: Sequence[str] | None = None) -> Lines | str:
    """The samples of names on one axis, over keys of the other, else over all that averages count; why there are
    none."""
    turned = max((grid, grid.turned), key=lambda each: sum(name in each.rows for name in names))
    lacking = [name for name in names if name not in turned.rows]
    if lacking:
        return f"there is no {', '.join(lacking)} here"
    kept = [key for key in at or turned.columns if key in turned.columns and (at or key not in grid.apart)]
    groups = [[turned.cells.get((name, key), {}) for name in names] for key in kept]
    found = [each for group in groups for each in _strata(group)]
    strata = [_aligned(samples) for samples in found]
    whole = [each for each in strata if each is not None]
    if not whole:
        return f"nothing is known of all of {', '.join(turned.rows[name] for name in names)}"
    samples = chain.from_iterable(each.values() for stratum in found for each in stratum)
    runs = tuple(dict.fromkeys(each.run for each in samples if each.run))
    exact = grid.exact or all(seed is None for stratum in found for each in stratum for seed in each)
    labels = tuple(turned.rows[name].rpartition(": ")[2] for name in names)
    over = tuple(turned.columns[key] for key in kept)
    return Lines(labels, tuple(whole), over, runs, len(strata) - len(whole), exact)


def _lines(comparison: Comparison, grid: Grid) -> Lines | str:
    names = comparison.keys
    if isinstance(comparison, NearBest):  # of all on its axis
        names = tuple(grid.rows if comparison.of in grid.rows else grid.columns)
    return lines_of(grid, names, comparison.at)


def _strata(group: Sequence[Strata]) -> Iterator[list[dict[int | None, Sample]]]:
    """By data set, the samples of each name."""
    for name in dict.fromkeys(chain.from_iterable(group)):
        yield [strata.get(name, {}) for strata in group]


def _aligned(samples: Sequence[dict[int | None, Sample]]) -> np.ndarray | None:
    """(names, halves, seeds) of the seeds that all have; what has no seed counts for every one. None without any."""
    seeded = [set(each) for each in samples if None not in each]
    seeds = sorted(set.intersection(*seeded)) if seeded else [None]
    if not seeds or not all(samples):
        return None
    values = [[each[None if None in each else seed].values for seed in seeds] for each in samples]
    return np.array(values).swapaxes(1, 2)


def harmonic(values: np.ndarray, axis: int) -> np.ndarray:
    """The harmonic mean over base and new classes; of one number itself."""
    return values.shape[axis] / (1 / np.maximum(values, 1e-9)).sum(axis) if values.shape[axis] > 1 else values.sum(axis)


def scores(means: np.ndarray) -> np.ndarray:
    """(…, names, halves, strata) to (…, names): the average, of harmonic means that of the averages."""
    return harmonic(means.mean(-1), -1)


def gain(means: np.ndarray) -> np.ndarray:
    """By how much the first of two is above the second."""
    both = scores(means)
    return both[..., 0] - both[..., 1]


def _told(comparison: Comparison, lines: Lines, tested: Known) -> list[dict]:
    """What each comparison says, without the artefact and the runs."""
    match comparison:
        case Kept():
            best, last = (_lines(comparison, tested.grids.get(which, tested.grid)) for which in ("best", "last"))
            if isinstance(best, str) or isinstance(last, str):
                return [{"verdict": "not tested here", "sentence": f"{tested.id}: not all epochs are known."}]
            others = range(1, len(lines.labels))
            return [_kept(comparison, best.named(0, other), last.named(0, other)) for other in others]
        case Pairs():
            others = range(1, len(lines.labels))
            return [_pair(comparison, lines.named(0, other), tested.unit) for other in others]
        case NearBest():
            axis = tested.grid.rows if comparison.of in tested.grid.rows else tested.grid.columns
            return [_near_best(lines, list(axis).index(comparison.of), tested.unit)]
        case Level():
            found = lines.estimate(lambda means: scores(means)[..., 0])
            says = f"{lines.labels[0]}: {_short(found.effect)}{tested.unit}{_averaged(lines)}"
            return [_judged(found, (-UNBOUND, comparison.at_most), says)]
        case Spread():
            found = lines.estimate(lambda means: np.ptp(scores(means), axis=-1))
            says = f"{' and '.join(lines.labels)} are {found.effect:.1f}{tested.unit} apart{_averaged(lines)}"
            return [_judged(found, (-UNBOUND, comparison.at_most), says)]


def _pair(comparison: Pairs, lines: Lines, unit: str) -> dict:
    (of, over), count = lines.labels, len(lines.strata)
    match comparison:
        case Above():
            found = lines.estimate(gain)
            side = "above" if found.effect >= 0 else "below"
            says = f"{of} is {_short(abs(found.effect))}{unit} {side} {over}{_averaged(lines)}"
            bounds, strict = (comparison.by, UNBOUND), comparison.by == 0
        case Sets():
            least = count // 2 + 1 if comparison.least == "most" else comparison.least
            found = lines.estimate(lambda means: _wins(means).sum(-1).astype(float))
            says = f"{of} is above {over} on {found.effect:.0f} of {count} {_sets(count)}"
            bounds, strict = (float(least), UNBOUND), False
        case Times():
            found = lines.estimate(lambda means: scores(means)[..., 0] / scores(means)[..., 1])
            what = lines.over[0] if len(lines.over) == 1 else "value"
            says = f"{of} has {found.effect:.3g} times the {what} of {over}"
            return _judged(found, (-UNBOUND, comparison.at_most), says, digits=2)
    probability = None if lines.exact else evidence.probability_of_improvement(lines.runs_of(0), lines.runs_of(1))
    return _judged(found, bounds, says, strict, probability, digits=0 if isinstance(comparison, Sets) else 1)


def _kept(comparison: Kept, best: Lines, last: Lines) -> dict:
    of, over = best.labels
    both = [np.concatenate(pair) for pair in zip(best.strata, last.strata, strict=True)]  # best, best, last, last
    lines = Lines(best.labels * 2, tuple(both), best.over, best.runs, best.missing, best.exact)
    before, after = best.estimate(gain), last.estimate(gain)
    if not before.interval or before.interval[0] <= 0:
        says = (
            f"{of} is not surely above {over} at the best epochs ({before.effect:+.1f} points): no share can be taken"
        )
        told = {"effect": before.effect, "unit": "points", "seeds": before.seeds}
        return {"verdict": "cannot be told", "sentence": f"{says}.", **told}
    found = lines.estimate(lambda means: gain(means[..., 2:, :, :]) / gain(means[..., :2, :, :]))
    says = (
        f"of the {before.effect:.1f} points of {of} above {over} at the epochs that are best on the test set, "
        f"{after.effect:.1f} ({100 * found.effect:.0f} %) are there at the last"
    )
    return _judged(found, (comparison.share, UNBOUND), says, digits=2)


def _near_best(lines: Lines, place: int, unit: str) -> dict:
    """The deviation is that of the best's average over seeds."""
    found = lines.estimate(lambda means: scores(means)[..., place] - scores(means).max(-1))
    means = scores(np.stack([each.mean(-1) for each in lines.strata], -1))
    best, seeds = int(means.argmax()), min(each.shape[-1] for each in lines.strata)
    each = [scores(np.stack([stratum[..., seed] for stratum in lines.strata], -1))[best] for seed in range(seeds)]
    deviation = float(np.std(each, ddof=1)) if seeds > 1 else 0.0
    says = f"{lines.labels[place]} is {_short(-found.effect)}{unit} below the best, {lines.labels[best]}"
    says = f"{lines.labels[place]} is the best" if best == place else f"{says}, whose deviation is {deviation:.1f}"
    return _judged(found, (-deviation, UNBOUND), f"{says}{_averaged(lines)}")


def _judged(
    found: Estimate,
    bounds: tuple[float, float],
    says: str,
    strict: bool = False,
    probability: float | None = None,
    digits: int = 1,
) -> dict:
    """A verdict by whether the interval lies within bounds, outside them or across. strict: the lower one itself is
    outside. digits: of the interval."""
    verdict, needed = _verdict(found, bounds, strict), None
    seeds = f"{found.seeds} {'seed' if found.seeds == 1 else 'seeds'}"
    tail = []
    if found.interval and found.error:
        low, high = (f"{each:.{digits}f}" for each in found.interval)
        tail.append(f"95 % interval {low} to {high}, {seeds}")
    elif not found.interval:
        tail.append(f"{seeds}: no spread is known, at least 2 are needed")
    if probability is not None:
        tail.append(f"probability of improvement {probability:.2f}")
    if verdict == "cannot be told" and found.interval:
        needed = evidence.seeds_needed(found, bounds[0] if bounds[0] > -UNBOUND else bounds[1])
        tail.append(
            f"about {needed} seeds would tell" if needed else "no number of seeds that anybody trains would tell"
        )
    evidenced = f" ({'; '.join(tail)})" if tail else ""
    return {
        "verdict": verdict,
        "sentence": f"{says}{evidenced}.",
        "effect": found.effect,
        "interval": found.interval,
        "probability": probability,
        "seeds": found.seeds,
        "needed": needed,
    }


def _verdict(found: Estimate, bounds: tuple[float, float], strict: bool) -> Outcome:
    if found.interval is None:
        return "cannot be told"
    (low, high), (least, most) = found.interval, bounds
    if high <= most and (low > least if strict else low >= least):
        return "holds"
    return "fails" if low > most or (high <= least if strict else high < least) else "cannot be told"


def _ranks(comparison: Comparison, lines: Lines) -> dict:
    """Of three names or more, over as many strata."""
    count, strata = len(lines.labels), len(lines.strata)
    if not isinstance(comparison, Above | Sets) or min(count, strata) < 3:
        return {}
    means = np.stack([harmonic(each.mean(-1), -1) for each in lines.strata], -1)  # (names, strata)
    ranks = dict(zip(lines.labels, map(float, evidence.mean_ranks(means)), strict=True))
    return {"ranks": ranks, "critical_difference": evidence.critical_difference(count, strata)}


def _wins(means: np.ndarray) -> np.ndarray:
    """(…, 2, halves, strata) to (…, strata)."""
    each = harmonic(means, -2)
    return each[..., 0, :] > each[..., 1, :]


def _averaged(lines: Lines) -> str:
    count = len(lines.strata)
    missing = f", {lines.missing} more are not known" if lines.missing else ""
    return f" on average over {count} {_sets(count)}{missing}" if count > 1 else missing


def _sets(count: int) -> str:
    return "data set" if count == 1 else "data sets"


def _short(value: float) -> str:
    """``0.3``, ``12.1``; of what is smaller than a tenth its first digits."""
    return f"{value:.1f}" if abs(value) >= 0.1 or value == 0 else f"{value:.2g}"
