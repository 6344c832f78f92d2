"""What must hold between the numbers of one record: each problem is a sentence, the first of which is shown."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from papertables.results.metrics import Epoch, Evaluation, Metrics, Score

HITS = 1e-3  # how far from a whole number the correct images behind an accuracy may be, for rounding
RATE = 1e-6  # relative


def problems(metrics: "Metrics") -> Iterator[str]:
    """What must hold within a whole record; every value is in its own range already."""
    if metrics.run != metrics.spec.id:
        yield f"run is {metrics.run}, but its spec says {metrics.spec.id}"
    yield from _outcome(metrics)
    yield from _targets(metrics)
    if metrics.spec.training:
        yield from _trained(metrics)
    else:
        yield from _untrained(metrics)
    yield from _cost(metrics)


def whole_hits(accuracy: float, images: int) -> bool:
    """Whether so many images can have this accuracy, in percent."""
    hits = accuracy * images / 100
    return abs(hits - round(hits)) <= HITS


def _outcome(metrics: "Metrics") -> Iterator[str]:
    ended = metrics.diverged
    if (metrics.outcome == "diverged") != (ended is not None):
        yield "outcome 'diverged' and the place of the divergence go together"
    if metrics.outcome == "finished" and not all(each.best and each.last for each in metrics.evaluations):
        yield "a finished run has a best and a last score in every evaluation"
    if ended and metrics.spec.skips:
        yield "it diverged, but goes on after a loss that is not finite"
    if ended and metrics.spec.training and ended.epoch > metrics.spec.training.epochs:
        yield f"it diverged in epoch {ended.epoch} of {metrics.spec.training.epochs}"
    computed, training = metrics.computed, metrics.spec.training
    asked = training.precision if training and computed and computed.device == "cuda" else "fp32"
    if computed and computed.precision != asked:
        yield f"computed in {computed.precision} on {computed.device}, where the spec gives {asked}"


def _targets(metrics: "Metrics") -> Iterator[str]:
    """The first evaluation is the run's own test, the others are transfer targets; no two are of the same."""
    spec = metrics.spec
    if not metrics.evaluations:
        yield "there is no evaluation"
        return
    own, *others = metrics.evaluations
    classes = spec.target.classes if spec.training else "all"
    if (own.target, own.data) != ((spec.dataset, classes, ()), None):
        yield f"the first evaluation is of {_name(own)}, the run's own is of {spec.dataset} ({classes})"
    if others and (metrics.diverged or not spec.training):
        yield "a run that was not trained to the end is scored on its own test alone"
    for each in others:
        if not _may_be_scored(metrics, each):
            yield f"the run cannot be scored on {_name(each)}"
    if len({each.target for each in metrics.evaluations}) < len(metrics.evaluations):
        yield "two evaluations are of the same"
    counts: dict[tuple, int] = {}
    for each in metrics.evaluations:
        if counts.setdefault((each.dataset, each.classes), each.images) != each.images:
            yield f"evaluations of {_name(each)} differ in their number of images"


def _may_be_scored(metrics: "Metrics", one: "Evaluation") -> bool:
    """On the new classes of its own data set, or on all of another one."""
    spec = metrics.spec
    if one.dataset == spec.dataset:
        return (one.classes, one.attributes, one.data) == ("new", (), None) and spec.target.classes == "base"
    named = not one.attributes or bool(spec.options.get("attributes"))
    return one.classes == "all" and one.data is not None and named


def _untrained(metrics: "Metrics") -> Iterator[str]:
    if metrics.outcome != "finished" or metrics.curve or metrics.parameters:
        yield "a run without training has no curve, no divergence and no trained values"
    for each in metrics.evaluations:
        if each.best != each.last or (each.best and each.best.epoch):
            yield "a run without training is scored once, after epoch 0"
        if metrics.cost.images != each.images:
            yield f"{metrics.cost.images} images went through the tower, {each.images} were tested"


def _trained(metrics: "Metrics") -> Iterator[str]:
    yield from _curve(metrics)
    tested = [each for each in metrics.curve if each.test_accuracy is not None]
    best = max(tested, key=lambda each: each.test_accuracy, default=None)  # the first of the highest
    last = tested[-1] if tested else None
    tests = metrics.computed.tests if metrics.computed else "published"  # a more exact one may have been made later
    for number, each in enumerate(metrics.evaluations):
        for name, score, epoch in (("best", each.best, best), ("last", each.last, last)):
            if number == 0 and each.numerics == tests and not _agree(score, epoch):
                yield f"the {name} score is {_said(score)}, the curve says {_of_curve(epoch)}"
            elif score and epoch and score.epoch != epoch.epoch:
                yield f"the {name} score on {_name(each)} is of epoch {score.epoch}, the run's own of {epoch.epoch}"
        if each.best and each.last and each.best.epoch == each.last.epoch and each.best != each.last:
            yield f"best and last score on {_name(each)} are of the same epoch, but differ"
    for own in metrics.evaluations[:1]:
        for epoch in tested:
            if not whole_hits(epoch.test_accuracy, own.images):
                yield f"epoch {epoch.epoch}: no number of {own.images} images gives {epoch.test_accuracy} %"
        if metrics.cost.images < len(tested) * own.images:
            yield f"{metrics.cost.images} images went through the tower, fewer than were tested"


def _curve(metrics: "Metrics") -> Iterator[str]:
    """One line per epoch up to the last, which is tested, or up to the one before a divergence."""
    training, numbers = metrics.spec.training, [each.epoch for each in metrics.curve]
    length = metrics.diverged.epoch - 1 if metrics.diverged else training.epochs
    if numbers != list(range(1, length + 1)):
        yield f"the curve must have epochs 1 to {length} in order, it has {_list(numbers)}"
    for each in metrics.curve:
        if each.test_accuracy is None and each.epoch == training.epochs:
            yield f"epoch {each.epoch} is the last and lacks a test accuracy"
        if each.nonfinite_steps and not metrics.spec.skips:
            yield f"epoch {each.epoch} has losses that are not finite, which ends such a run"
        if each.train_loss is None and not each.nonfinite_steps:
            yield f"epoch {each.epoch} has no training loss"


def _cost(metrics: "Metrics") -> Iterator[str]:
    cost = metrics.cost
    if not math.isclose(cost.images_per_second * cost.seconds, cost.images, rel_tol=RATE):
        yield f"{cost.images} images in {cost.seconds} s are not {cost.images_per_second} a second"


def _agree(score: "Score | None", epoch: "Epoch | None") -> bool:
    if score is None or epoch is None:
        return score is epoch
    return (score.epoch, score.accuracy) == (epoch.epoch, epoch.test_accuracy)


def _said(score: "Score | None") -> str:
    return f"{score.accuracy} % after epoch {score.epoch}" if score else "missing"


def _of_curve(epoch: "Epoch | None") -> str:
    return f"{epoch.test_accuracy} % after epoch {epoch.epoch}" if epoch else "that no epoch was tested"


def _name(one: "Evaluation") -> str:
    return f"{one.dataset} ({', '.join((one.classes, *one.attributes))})"


def _list(numbers: list[int]) -> str:
    """The first few."""
    return f"{', '.join(map(str, numbers[:6])) or 'none'}{' …' if len(numbers) > 6 else ''}"
