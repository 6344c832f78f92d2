"""What runs are scored on, and the accuracies of what is not in training: of untrained runs, and of trained ones on
their transfer targets."""

import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from papertables.backbones.catalog import backbone
from papertables.data import cache
from papertables.data.splits import chosen_labels
from papertables.results.metrics import Evaluation, Metrics, Score
from papertables.specs.rules import TrainJob
from papertables.specs.spec import CacheKey, Numerics, RunSpec, Target
from papertables.training.learners import prompt_names

if TYPE_CHECKING:
    from papertables.backbones.classifier import FrozenClassifier
    from papertables.backbones.clip import FrozenClip
    from papertables.backbones.frozen_features import FrozenFeatures
    from papertables.methods.learner import BaseLearner
    from papertables.training.loop import TestSet

FEATURES_PER_CALL = 1024  # attributes of many classes times these must fit


class TestSets:
    """The test sets of one job: its own data set, and the others that its runs are scored on."""

    __test__ = False  # no test of pytest's

    def __init__(self, job: TrainJob, tower: "Callable[[], FrozenClip | FrozenClassifier]"):
        """tower: gives the backbone, where it has yet to say what is kept."""
        self.job, self.tower, entry = job, tower, backbone(job.backbone)
        self.plain = CacheKey("test", entry.fit, entry.image_size)  # as the frozen tower takes images

    @cached_property
    def frozen(self) -> "FrozenFeatures":
        """The job's own."""
        from papertables.backbones.frozen_features import frozen_features

        return frozen_features(self.job.frozen, self.tower)

    def make(self, spec: RunSpec, target: Target) -> "TestSet":
        """What a run is scored on; with images where there is a cache of them."""
        import numpy as np
        import torch

        from papertables.backbones.frozen_features import frozen_features
        from papertables.training.loop import TestSet

        transfer, own = self.job.transfer, target.dataset == spec.dataset
        frozen = self.frozen if own else frozen_features(transfer.frozen[target.dataset], self.tower)
        path = self.job.caches[spec.test_cache] if own else transfer.images.get(target.dataset)
        known, labels = frozen.class_names, frozen.labels.numpy()
        chosen = chosen_labels(len(known), target.classes)
        rows = np.flatnonzero((labels >= chosen.start) & (labels < chosen.stop))
        return TestSet(
            labels=labels[rows] - chosen.start,
            images=cache.read(Path(path)) if path else None,
            rows=rows,
            names=prompt_names(known, target.classes),
            features=frozen.images[torch.from_numpy(rows)] if spec.test_cache == self.plain else None,
        )

    def score_untrained(self, spec: RunSpec, learner: "BaseLearner") -> tuple[Evaluation, float]:
        """From the frozen features of the test images: epoch 0, and the seconds it took."""
        import torch

        images, labels = self.frozen.images, self.frozen.labels
        began = time.perf_counter()
        with torch.inference_mode():
            parts = zip(images.split(FEATURES_PER_CALL), labels.split(FEATURES_PER_CALL), strict=True)
            hits = sum((learner.classify(part).argmax(-1) == own).sum().item() for part, own in parts)
        score = Score(epoch=0, accuracy=100 * hits / len(labels))
        evaluation = Evaluation(dataset=spec.dataset, images=len(labels), best=score, last=score)
        return evaluation, time.perf_counter() - began


class TransferTargets:
    """What the trained runs of one job are scored on beside their own test."""

    def __init__(self, job: TrainJob):
        self.targets, self.frozen, self.numerics = job.transfer.targets, job.transfer.frozen, job.numerics

    def data(self, target: Target) -> str | None:
        """The contents of a data set that is not the job's own."""
        frozen = self.frozen.get(target.dataset)
        return frozen.prepared.digest if frozen else None

    def missing(self, metrics: Metrics) -> list[Target]:
        """On what a finished run has yet to be scored, or to be scored more exactly."""
        if metrics.outcome == "diverged":
            return []
        known = {(each.target, each.data) for each in metrics.evaluations if each.serves(self.numerics)}
        wanted = (*((metrics.spec.target,) if metrics.spec.training else ()), *self.targets.get(metrics.run, ()))
        return [each for each in wanted if (each, self.data(each)) not in known]

    def scored(
        self, metrics: Metrics, target: Target, images: int, numerics: Numerics, best: float, last: float
    ) -> Metrics:
        """With the accuracies on a target, after the best and the last epoch of its own test."""
        own = metrics.scored(metrics.spec.target)
        evaluation = Evaluation(
            dataset=target.dataset,
            classes=target.classes,
            attributes=target.attributes,
            data=self.data(target),
            images=images,
            best=own.best.model_copy(update={"accuracy": best}),
            last=own.last.model_copy(update={"accuracy": last}),
            numerics=numerics,
        )
        kept = {each.target: each for each in metrics.evaluations} | {target: evaluation}  # the run's own stays first
        return metrics.model_copy(update={"evaluations": list(kept.values())})
