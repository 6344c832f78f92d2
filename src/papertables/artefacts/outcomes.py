"""From the metrics of the runs behind a cell to its numbers, seed by seed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, harmonic_mean

from papertables.planning.planned import Cell
from papertables.results.metrics import Metrics
from papertables.specs.config import Measure, Selection
from papertables.specs.spec import RunSpec

SCORES = ("accuracy", "base", "new", "harmonic_mean", "gain")
COSTS = ("seconds", "peak_memory_mb")
DIVERGED, UNFINISHED = "†", "*"


@dataclass(frozen=True)
class Outcome:
    """The measure by seed (None: the same for every seed). Nothing where a run diverged and shows nothing. halves: of a
    harmonic mean, what it is of."""

    values: dict[int | None, float]
    mark: str = ""
    halves: "tuple[Outcome, Outcome] | None" = None

    @property
    def mean(self) -> float | None:
        """Over seeds; a harmonic mean is that of the means."""
        if not self.values:
            return None
        return harmonic_mean([half.mean for half in self.halves]) if self.halves else fmean(self.values.values())


def of_halves(base: Outcome, new: Outcome) -> Outcome:
    """The harmonic mean of the accuracies on base and new classes."""
    both = {seed: (value, new.values[seed]) for seed, value in base.values.items() if seed in new.values}
    values = {seed: harmonic_mean(pair) for seed, pair in both.items()}
    return Outcome(values, base.mark or new.mark, (base, new))


def outcome_of(cell: Cell, metrics: Mapping[str, Metrics], shown_epoch: Callable[[RunSpec], Selection]) -> Outcome:
    """What a cell shows of the runs that are there. shown_epoch: of each run."""
    if cell.measure == "gain":
        return _gain(*(outcome_of(each, metrics, shown_epoch) for each in cell.halves))
    runs = {run.id: run for member in cell.members for run in member.runs}
    there = {id: metrics[id] for id in runs if id in metrics}
    diverged = [each for each in there.values() if each.diverged]
    if any(cell.measure in COSTS or not each.shows(runs[each.run], shown_epoch(runs[each.run])) for each in diverged):
        return Outcome({}, DIVERGED)
    mark = DIVERGED if diverged else UNFINISHED if len(there) < len(runs) else ""
    if cell.measure in SCORES and cell.members:
        shown = [_scored(cell, there, i, shown_epoch, mark) for i in range(len(cell.members[0].scored))]
        return of_halves(*shown) if len(shown) > 1 else shown[0]
    counted = cell.measure == "parameters"  # no seed changes them
    members = [
        {
            None if counted else run.seed: measure_of(there[run.id], cell.measure, shown_epoch(run))
            for run in member.runs
            if run.id in there
        }
        for member in cell.members
    ]
    return Outcome(_mean_by_seed(members), mark)


def _gain(own: Outcome, other: Outcome) -> Outcome:
    """By how many points one is above the other, seed by seed."""
    seeds = (own.values.keys() | other.values.keys()) - {None} or {None}
    pairs = {seed: [each.values.get(seed, each.values.get(None)) for each in (own, other)] for seed in seeds}
    values = {seed: one - two for seed, (one, two) in pairs.items() if None not in (one, two)}
    return Outcome(values, own.mark or other.mark)


def _scored(
    cell: Cell, there: dict[str, Metrics], which: int, shown_epoch: Callable[[RunSpec], Selection], mark: str
) -> Outcome:
    """One of the targets that the members are scored on."""
    members = []
    for member in cell.members:
        found = [(run, there[run.id].scored(member.scored[which])) for run in member.runs if run.id in there]
        members.append({run.seed: each.score(shown_epoch(run)).accuracy for run, each in found if each})
        mark = mark or ("" if all(each for _, each in found) else UNFINISHED)
    return Outcome(_mean_by_seed(members), mark)


def measure_of(metrics: Metrics, measure: Measure, selection: Selection) -> float:
    """What a run cost, in seconds or MB, how many parameters it trains, or its accuracy in training, in percent."""
    match measure:
        case "train_accuracy":
            return _train_accuracy(metrics, selection)
        case "parameters":
            return metrics.parameters
        case "seconds":
            return metrics.cost.seconds / metrics.cost.group_size
        case "peak_memory_mb":
            return metrics.cost.peak_memory_mb


def _train_accuracy(metrics: Metrics, selection: Selection) -> float:
    """The accuracy on augmented training images in the epoch whose test accuracy is shown."""
    score = metrics.scored(metrics.spec.target).score(selection)
    return next(epoch.train_accuracy for epoch in metrics.curve if epoch.epoch == score.epoch)


def average_of(outcomes: Sequence[Outcome]) -> Outcome:
    """Over data sets, seed by seed; of harmonic means, that of the averages."""
    if outcomes and all(outcome.halves for outcome in outcomes):
        return of_halves(*map(average_of, zip(*(outcome.halves for outcome in outcomes), strict=True)))
    marks = {outcome.mark for outcome in outcomes}
    mark = DIVERGED if DIVERGED in marks else UNFINISHED if UNFINISHED in marks else ""
    return Outcome(_mean_by_seed([outcome.values for outcome in outcomes]), mark)


def _mean_by_seed(parts: Sequence[dict[int | None, float]]) -> dict[int | None, float]:
    """The mean over parts for each seed that all of them have; a part without seed counts for every seed."""
    if not parts or not all(parts):
        return {}
    seeded = [set(part) for part in parts if None not in part]
    seeds = sorted(set.intersection(*seeded)) if seeded else [None]
    return {seed: fmean(part[None] if None in part else part[seed] for part in parts) for seed in seeds}


def failures(
    runs: Sequence[RunSpec], metrics: Mapping[str, Metrics], epoch: Callable[[RunSpec], Selection]
) -> list[str]:
    """A line for each run that is not finished, diverged, or took steps without a finite loss."""
    lines = []
    for run in runs:
        if run.id not in metrics:
            lines.append(f"{UNFINISHED} not finished, or of other code, data or weights: {run.id}")
        elif place := metrics[run.id].diverged:
            shown = ", the best epoch before is shown" if metrics[run.id].shows(run, epoch(run)) else ""
            lines.append(f"{DIVERGED} diverged in epoch {place.epoch}, step {place.step}{shown}: {run.id}")
        elif steps := metrics[run.id].nonfinite:
            lines.append(f"{_steps(steps)} without a finite loss, left out: {run.id}")
    return lines


def _steps(by_epoch: dict[int, int]) -> str:
    """``1 step of epoch 3``, ``5 steps of epochs 3 to 7``"""
    count, first, last = sum(by_epoch.values()), min(by_epoch), max(by_epoch)
    epochs = f"epoch {first}" if first == last else f"epochs {first} to {last}"
    return f"{count} {'step' if count == 1 else 'steps'} of {epochs}"
