"""The one training loop: runs that agree in image side, batch size and number of steps train together.

The inputs of all runs go through the frozen tower in one call (or a few of whole runs); each run keeps its
learner, optimiser, learning rate, data order and random streams. The summed loss gives each learner
exactly its own gradient, whatever is not finite in another's: no value of one run enters a sum with those of another
but for that of the losses, through which every run gets the factor 1.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from papertables.base.device import computed_precision
from papertables.data.augment import Augmentation, training_images
from papertables.data.cache import ImageCache
from papertables.methods.learner import BaseLearner
from papertables.results.metrics import Divergence, Epoch
from papertables.specs.spec import tested
from papertables.training.checkpoint import Checkpoint
from papertables.training.forward import Towers, image_features, text_features
from papertables.training.progress import progress, summary
from papertables.training.run import Run

IMAGES_PER_CALL = {"cpu": 256, "cuda": 512}
PROMPTS_PER_CALL = 4096  # of prompts made for single images, in a test
PRECISIONS = {"fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class TestSet:
    """What runs are scored on: the ``rows`` of a cache (None where only features are needed), their labels from 0 (N,),
    the names of the classes, and the features (N, D) that the frozen tower gives the plain images."""

    __test__ = False  # no test of pytest's
    labels: np.ndarray
    images: ImageCache | None = None
    rows: np.ndarray | None = None
    names: tuple[str, ...] = ()
    features: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Step:
    """Each run's mean loss, ``losses`` (S,), and its logits (B, C), before the update."""

    losses: Tensor
    logits: list[Tensor]


class Trainer:
    """Trains a group of runs. ``towers``: normalised images (B, 3, P, P) to features (B, D). All runs agree
    in epochs, steps per epoch, precision and evaluation; ``side`` is that of the images they are given."""

    def __init__(
        self,
        runs: Sequence[Run],
        towers: Towers,
        device: torch.device,
        side: int,
        batch_size: int,
        augmentation: Augmentation = "resized_crop",
        images_per_call: int | None = None,
    ):
        self.runs, self.towers, self.device, self.side = list(runs), towers, device, side
        self.training, self.batch_size, self.augmentation = runs[0].training, batch_size, augmentation
        self.images_per_call = images_per_call or IMAGES_PER_CALL[device.type]
        for run in runs:
            run.to(device)

    def steps(self, images: int) -> int:
        """Per epoch; an incomplete last batch counts unless it is dropped, which needs a complete one."""
        if self.training.drop_last and images >= self.batch_size:
            return images // self.batch_size
        return math.ceil(images / self.batch_size)

    def step(
        self, runs: Sequence[Run], images: Sequence[Tensor], labels: Sequence[Tensor], lrs: Sequence[Sequence[float]]
    ) -> Step:
        """One update of each run with its own images (B, 3, s, s) in [0, 1], labels (B,) and rates of its
        optimisers."""
        losses, logits = [], []
        per_call = max(1, self.images_per_call // max(len(batch) for batch in images))  # runs, whole ones
        for start in range(0, len(runs), per_call):
            part = slice(start, start + per_call)
            for run in runs[part]:
                run.learner.zero_grad()
            with self._autocast():
                learners, names = [run.learner for run in runs[part]], [run.names for run in runs[part]]
                features = image_features(self.towers, learners, images[part])  # of all runs in one call
                texts = text_features(self.towers, learners, names, features)
                parts = zip(learners, features, texts, names, labels[part], strict=True)
                own, outputs = zip(*(learner.loss(*rest) for learner, *rest in parts), strict=True)
            scaled = [run.scaler.scale(loss) for run, loss in zip(runs[part], own, strict=True)]
            torch.stack(scaled).sum().backward()  # a learner is in one term alone, so it gets its own gradient
            for run, seen, target in zip(runs[part], features, labels[part], strict=True):
                if run.head and run.head.observes:  # the next mapping is made of what training saw, without a pass
                    run.head.observe(seen, target)
            losses += [loss.detach() for loss in own]
            logits += [output.detach() for output in outputs]
        for run, rates in zip(runs, lrs, strict=True):
            run.update(rates)
        return Step(torch.stack(losses), logits)

    def remap(self, number: int, train: ImageCache) -> None:
        """Before epoch ``number`` (from 1): new label mappings where they are due, from one pass over the training
        set, or from what training has observed. A pass keeps sums alone, never the logits of all images."""
        mapped = [run for run in self.runs if run.head and not run.diverged]
        due = [run for run in mapped if run.head.due(number)]
        for training in (True, False):  # the released first pass of SMM runs in training mode
            runs = [run for run in due if (number == 1 and run.mapping_pass == "training") is training]
            if runs:
                self._observe(runs, train, training)
        for run in mapped:
            if run in due or run.head.observes:
                before = run.head.mapping.clone()  # to record how much it changes
                run.head.remap()
                run.mappings.add(number, before, run.head)

    @torch.no_grad()
    def _observe(self, runs: Sequence[Run], train: ImageCache, training: bool) -> None:
        """Shows every training image to the heads, in fp32. In training mode in batches of training, which batch norm
        sees."""
        orders = [self._order(run) for run in runs]
        size = self.batch_size if training else max(1, self.images_per_call // len(runs))
        for run in runs:
            run.learner.train(training)
        for start in range(0, len(orders[0]), size):
            rows = [order[start : start + size] for order in orders]
            images = [self._images(train, own, run.augmentation) for run, own in zip(runs, rows, strict=True)]
            features = image_features(self.towers, [run.learner for run in runs], images)
            for run, own, seen in zip(runs, rows, features, strict=True):
                run.head.observe(seen, torch.from_numpy(train.labels[own]).to(self.device))
        for run in runs:
            run.images += len(orders[0])

    def epoch(self, number: int, train: ImageCache) -> list[Run]:
        """Trains epoch ``number`` (from 1) and returns the runs that have not diverged: a step without a finite loss
        ends a run after the epoch, unless it ``skips``."""
        self.remap(number, train)
        runs = [run for run in self.runs if not run.diverged]
        for run in runs:
            run.learner.train()
        orders = [self._order(run) for run in runs]
        steps = self.steps(len(orders[0])) if runs else 0
        losses, hits, counts = [], [], []
        for step in range(steps):
            rows = [order[step * self.batch_size : (step + 1) * self.batch_size] for order in orders]
            images = [self._images(train, own, run.augmentation) for run, own in zip(runs, rows, strict=True)]
            labels = [torch.from_numpy(train.labels[own]).to(self.device) for own in rows]
            lrs = [run.lrs(number - 1, step, steps) for run in runs]
            done = self.step(runs, images, labels, lrs)
            losses.append(done.losses)
            hits.append(torch.stack([correct(*pair) for pair in zip(done.logits, labels, strict=True)]))
            counts.append(len(rows[0]))
        if not runs:
            return []
        weights = torch.tensor(counts, dtype=torch.float64)
        losses, hits = torch.stack(losses).double().cpu(), torch.stack(hits).sum(0)  # (steps, S), (S,)
        finite = losses.isfinite()
        mean_losses = (weights @ losses.where(finite, 0) / (weights @ finite.double())).tolist()
        accuracies = (100 * hits / weights.sum().item()).tolist()
        for column, run in enumerate(runs):
            run.images += sum(counts)
            known = finite[:, column]
            if not known.all() and not run.skips:
                run.diverged = Divergence(epoch=number, step=int(known.int().argmin()) + 1)
                continue
            run.curve.append(
                Epoch(
                    epoch=number,
                    lr=run.lrs(number - 1, 0, steps)[0],
                    train_loss=mean_losses[column] if known.any() else None,
                    nonfinite_steps=int((~known).sum()),
                    train_accuracy=accuracies[column],
                )
            )
        return [run for run in runs if not run.diverged]

    @torch.inference_mode()
    def accuracies(self, runs: Sequence[Run], test: TestSet) -> list[float]:
        """In percent, in fp32, on images that are all of side ``side``."""
        learners, names = [run.learner.eval() for run in runs], [test.names] * len(runs)
        per_image = [i for i, learner in enumerate(learners) if learner.reads_images]
        fixed = [i for i, learner in enumerate(learners) if not learner.reads_images]
        texts = dict(zip(fixed, self._texts(learners, fixed, names, {}), strict=True))
        per_call = max(1, self.images_per_call // len(runs))  # images
        if per_image:
            per_call = max(1, min(per_call, PROMPTS_PER_CALL // (len(per_image) * len(test.names))))
        hits = torch.zeros(len(runs), dtype=torch.long, device=self.device)
        for start in range(0, len(test), per_call):
            part = slice(start, start + per_call)
            labels = torch.from_numpy(test.labels[part]).to(self.device)
            features = dict(enumerate(self._test_features(learners, test, part)))
            own = zip(per_image, self._texts(learners, per_image, names, features), strict=True)
            texts |= dict(own)
            outputs = [each.classify(features[i], texts[i], test.names) for i, each in enumerate(learners)]
            hits += torch.stack([correct(output, labels) for output in outputs])
        return (100 * hits.double() / len(test)).tolist()

    def _texts(
        self, learners: Sequence[BaseLearner], chosen: Sequence[int], names: Sequence[tuple[str, ...]], features: dict
    ) -> list[Tensor | None]:
        """Text features of some of the learners."""
        part = [features.get(i) for i in chosen]
        return text_features(self.towers, [learners[i] for i in chosen], [names[i] for i in chosen], part)

    def _test_features(self, learners: Sequence[BaseLearner], test: TestSet, part: slice) -> list[Tensor]:
        """Each learner's features of some test images; what the frozen tower says of plain ones is known."""
        known = [test.features is not None and learner.leaves_images for learner in learners]
        found = [test.features[part].to(self.device)] * len(learners) if any(known) else [None] * len(learners)
        if all(known):
            return found
        images = torch.from_numpy(test.images.batch(test.rows[part])).to(self.device) / 255
        own = [learner for learner, ready in zip(learners, known, strict=True) if not ready]
        rest = iter(image_features(self.towers, own, [images] * len(own)))
        return [feature if ready else next(rest) for feature, ready in zip(found, known, strict=True)]

    def train(
        self,
        train: ImageCache,
        test: TestSet,
        checkpoint: Checkpoint | None = None,
        title: str = "training",
        every: int = 1,
    ) -> float:
        """All epochs, from the checkpoint on if it holds one, with the tests of ``tested``. Returns the seconds spent,
        before it too."""
        first, before = checkpoint.resume(self.runs) if checkpoint else (0, 0.0)
        began, seconds = time.perf_counter(), before
        epochs, due = self.training.epochs, {*tested(every, self.training.epochs)}
        with progress(title, epochs, first) as bar:
            for number in range(first + 1, epochs + 1):
                alive = self.epoch(number, train)
                for run in alive:
                    run.keep_program(number)
                if alive and number in due:
                    for run, accuracy in zip(alive, self.accuracies(alive, test), strict=True):
                        run.score(number, accuracy)
                        run.curve[-1] = run.curve[-1].model_copy(update={"test_accuracy": accuracy})
                        run.images += len(test)
                bar.set_postfix_str(summary(self.runs), refresh=False)
                bar.update()
                seconds = before + time.perf_counter() - began
                if checkpoint:
                    checkpoint.save(self.runs, number, seconds, force=number == epochs)
        return seconds

    def _order(self, run: Run) -> np.ndarray:
        """The run's rows in a new random order."""
        return run.rows[torch.randperm(len(run.rows), generator=run.order).numpy()]

    def _images(self, train: ImageCache, rows: np.ndarray, generator: torch.Generator) -> Tensor:
        """Augmented training images (B, 3, side, side)."""
        return training_images(self.augmentation, train, rows, self.side, generator, self.device)

    def _autocast(self) -> torch.autocast:
        dtype = PRECISIONS.get(computed_precision(self.device, self.training.precision))
        return torch.autocast(self.device.type, dtype, enabled=dtype is not None)


def correct(logits: Tensor, labels: Tensor) -> Tensor:
    return (logits.argmax(-1) == labels).sum()
