"""The one training loop: runs that agree in image side, batch size and number of steps train together.

The inputs of all runs go through the frozen tower in one call (or a few of whole runs); each run keeps its
learner, optimiser, learning rate, data order and random streams. The summed loss gives each learner
exactly its own gradient, whatever is not finite in another's: no value of one run enters a sum with those of another
but for that of the losses, through which every run gets the factor 1.

A batch for which memory has no room goes through in parts, each with its share of the images as its weight: the sum of
their gradients is that of the batch, but for learners with batch norm, which then see parts (``memory``).
"""

import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import itemgetter
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from papertables.backbones.calls import IMAGES_PER_CALL, PROMPTS_PER_CALL
from papertables.base.device import computed_precision, computing_fast, free_memory, moved
from papertables.base.errors import UserError
from papertables.base.stopping import Heeded, heed, patient
from papertables.data.augment import Augmentation, training_images
from papertables.data.feed import Images, ahead, on_device, resident
from papertables.methods.learner import BaseLearner
from papertables.results.metrics import Divergence, Epoch
from papertables.specs.spec import tested
from papertables.training.checkpoint import Checkpoint, Part, Place
from papertables.training.forward import Once, Towers, guides, image_features, text_features
from papertables.training.memory import LOOK, Room, batch_normed, images_that_fit, pieces, step_bytes
from papertables.training.progress import progress, summary
from papertables.training.run import Run

PRECISIONS = {"fp16": torch.float16, "bf16": torch.bfloat16}
KEPT_AT_MOST = 500  # times the bytes of an image, that a step keeps of it: CLIP's ViT-B/16 in fp32 300
FAST = torch.float16  # of tests and mapping passes, where they may be
NO_ROOM = "take a device with more memory, or a smaller backbone"
Made = TypeVar("Made")


@dataclass(frozen=True)
class TestSet:
    """What runs are scored on: the ``rows`` of a cache (None where only features are needed), their labels from 0 (N,),
    the names of the classes, and the features (N, D) that the frozen tower gives the plain images."""

    __test__ = False  # no test of pytest's
    labels: np.ndarray
    images: Images | None = None
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
    in epochs, steps per epoch, precision and evaluation; ``side`` is that of the images they are given.

    images_per_call: to which runs are joined. room: for how many images of a step there is memory; found by trial
    before training where it is not given, and halved whenever a call finds none. fast: what tests and mapping passes
    are computed in, in place of fp32."""

    def __init__(
        self,
        runs: Sequence[Run],
        towers: Towers,
        device: torch.device,
        side: int,
        batch_size: int,
        augmentation: Augmentation = "resized_crop",
        images_per_call: int | None = None,
        room: int | None = None,
        fast: torch.dtype | None = None,
    ):
        self.runs, self.towers, self.device, self.side = list(runs), towers, device, side
        self.training, self.batch_size, self.augmentation = runs[0].training, batch_size, augmentation
        self.images_per_call = images_per_call or IMAGES_PER_CALL[device.type]
        self.room, self.room_to_look = Room(room), Room(room and int(room / LOOK))
        self.fast, self.told_cut = fast, False
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
        batch = max(len(own) for own in images)
        most = batch * min(len(runs), max(1, self.images_per_call // batch))  # in one call, where there is room
        work = partial(self._gradients, runs, images, labels, batch)
        losses, logits, seen = self._fitting(runs, self.room, most, work)
        for run, features, target in zip(runs, seen, labels, strict=True):
            if run.head and run.head.observes:  # the next mapping is made of what training saw, without a pass
                run.head.observe(features, target)
        for run, rates in zip(runs, lrs, strict=True):
            run.update(rates)
        return Step(torch.stack(losses), logits)

    def _gradients(
        self, runs: Sequence[Run], images: Sequence[Tensor], labels: Sequence[Tensor], batch: int
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Gives each learner its gradient. Returns each run's loss, logits and features."""
        together = max(1, self.room.of(self.images_per_call) // batch)  # runs, whole ones
        parts = pieces(batch, self.room.of(batch))
        self._tell(batch, parts, runs)
        losses, logits, seen = [], [], []
        for first in range(0, len(runs), together):
            some = slice(first, first + together)
            for run in runs[some]:
                run.learner.zero_grad()
            done = [
                self._backward(
                    runs[some],
                    _cut(images[some], part),
                    [own[part] for own in labels[some]],
                    (part.stop - part.start) / batch if len(parts) > 1 else None,
                )
                for part in parts
            ]
            own, outputs, features = zip(*done, strict=True)
            losses += [torch.stack(each).sum(0) for each in zip(*own, strict=True)] if len(parts) > 1 else own[0]
            logits += [_joined(each) for each in zip(*outputs, strict=True)]
            seen += [_joined(each) for each in zip(*features, strict=True)]
        return losses, logits, seen

    def _backward(
        self, runs: Sequence[Run], images: Sequence[Tensor], labels: Sequence[Tensor], share: float | None
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Adds to the gradients of runs those of images that are a ``share`` of their batches (None: all of them).
        Returns their part of each loss, their logits and their features."""
        with self._autocast():
            learners, names = [run.learner for run in runs], [run.names for run in runs]
            features = image_features(self.towers, learners, images)  # of all runs in one call
            texts = text_features(self.towers, learners, names, features)
            parts = zip(learners, features, texts, names, labels, guides(self.towers, learners, images), strict=True)
            own, outputs = zip(*(learner.loss(*rest) for learner, *rest in parts), strict=True)
        if share is not None:
            own = [share * loss for loss in own]
        scaled = [run.scaler.scale(loss) for run, loss in zip(runs, own, strict=True)]
        torch.stack(scaled).sum().backward()  # a learner is in one term alone, so it gets its own gradient
        return tuple([each.detach() for each in values] for values in (own, outputs, features))

    def foresee(self) -> None:
        """Finds by trial how many images a step can hold, where that may be few: the learners' forward passes of one
        and of two images, of which nothing is kept. Where all runs' batches do not go together, as many runs go as can,
        and what another run keeps whatever its batch, as the prompts of all classes, is not there."""
        free, most = free_memory(self.device), max(self.batch_size * len(self.runs), self.images_per_call)
        certain = most * 12 * self.side**2 * KEPT_AT_MOST  # bytes, of floats in three channels
        if self.room.images or free is None or certain <= free:
            return
        known = [own for run in self.runs for own in (*run.learner.parameters(), *run.learner.buffers())]
        known += getattr(getattr(self.towers, "model", None), "parameters", list)()
        one, two = ([self._kept(run, count, known) for run in self.runs] for count in (1, 2))
        each = [more - less for less, more in zip(one, two, strict=True)]
        fixed = [less - own for less, own in zip(one, each, strict=True)]
        fit = images_that_fit(free, sum(fixed), max(each))
        if fit < self.batch_size:
            fit = min(self.batch_size, images_that_fit(free, max(fixed), max(each)))
        if fit < most:
            self.room, self.room_to_look = Room(fit), Room(int(fit / LOOK))

    def _kept(self, run: Run, count: int, known: Sequence[Tensor]) -> int:
        """The bytes that a run's step keeps for its gradient, with images of zeros."""
        run.learner.eval()  # so that no statistics of batches change
        images = torch.zeros(count, 3, self.side, self.side, device=self.device)
        labels = torch.zeros(count, dtype=torch.long, device=self.device)
        with self._autocast():
            return step_bytes(self.towers, run.learner, run.names, images, labels, known)

    def _fitting(self, runs: Sequence[Run], room: Room, count: int, work: Callable[[], Made]) -> Made:
        """What some work on at most ``count`` images a call gives, anew with half as many whenever the device had no
        room for them. Statistics of batches are then what they were before."""
        normed = [module for run in runs for module in run.learner.modules() if batch_normed(module)]
        before = [{name: value.clone() for name, value in module.state_dict().items()} for module in normed]
        while True:
            try:
                return work()
            except torch.OutOfMemoryError:
                if not room.halve(count):
                    raise UserError(f"{runs[0].id}: the device has no room for a single image: {NO_ROOM}") from None
            for module, state in zip(normed, before, strict=True):
                module.load_state_dict(state)
            torch.cuda.empty_cache()

    def _tell(self, batch: int, parts: Sequence[slice], runs: Sequence[Run]) -> None:
        """Says once in the log that batches are cut."""
        if len(parts) > 1 and not self.told_cut:
            normed = any(batch_normed(module) for run in runs for module in run.learner.modules())
            same = "batch norm sees the parts, so that results differ" if normed else "the gradients are the same"
            print(f"a batch of {batch} images goes through in {len(parts)} parts, for memory: {same}", file=sys.stderr)
            self.told_cut = True

    def remap(self, number: int, train: Images) -> None:
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
                run.keep_mapping(number, before)

    @torch.no_grad()
    def _observe(self, runs: Sequence[Run], train: Images, training: bool) -> None:
        """Shows every training image to the heads, in fp32 unless ``fast``. In training mode in batches of training,
        which batch norm sees."""
        orders = [self._order(run) for run in runs]
        size = self.batch_size if training else max(1, self.room_to_look.of(self.images_per_call) // len(runs))
        for run in runs:
            run.learner.train(training)
        for images, labels, _ in self._batches(train, runs, orders, size):
            features = self._looked_at(runs, [run.learner for run in runs], images)
            heed()
            for run, seen, target in zip(runs, features, labels, strict=True):
                run.head.observe(seen, target)
        for run in runs:
            run.images += len(orders[0])

    def epoch(self, number: int, train: Images, place: Place | None = None) -> list[Run]:
        """Trains epoch ``number`` (from 1), or what ``place`` has left of it, and returns the runs that have not
        diverged: a step without a finite loss ends a run after the epoch, unless it ``skips``."""
        place = place or Place(number - 1)
        if place.part is None:
            self.remap(number, train)
        runs = [run for run in self.runs if not run.diverged]
        for run in runs:
            run.learner.train()
        if place.part is None:
            place.part = Part([self._order(run) for run in runs], [run.augmentation.get_state() for run in runs])
        part = place.part
        part.to(self.device)
        for run, stream in zip(runs, part.streams, strict=True):
            run.augmentation.set_state(stream)
        steps, done = self.steps(len(part.orders[0])) if runs else 0, len(part.counts)
        left = [order[done * self.batch_size : steps * self.batch_size] for order in part.orders]
        for step, (images, labels, streams) in enumerate(self._batches(train, runs, left, self.batch_size), done):
            heed()
            lrs = [run.lrs(number - 1, step, steps) for run in runs]
            made = self.step(runs, images, labels, lrs)
            hits = torch.stack([correct(*pair) for pair in zip(made.logits, labels, strict=True)])
            part.add(made.losses, hits, len(labels[0]), streams)
        place.epoch, place.part, place.tested = number, None, False
        if not runs:
            return []
        weights = torch.tensor(part.counts, dtype=torch.float64)
        losses = torch.stack(part.losses).double().cpu()  # (steps, S)
        finite = losses.isfinite()
        mean_losses = (weights @ losses.where(finite, 0) / (weights @ finite.double())).tolist()
        accuracies = (100 * part.hits / weights.sum().item()).tolist()
        for column, run in enumerate(runs):
            run.images += sum(part.counts)
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
        """In percent, in fp32 unless ``fast``, on images that are all of side ``side``."""
        learners, names = [run.learner.eval() for run in runs], [test.names] * len(runs)
        per_image = [i for i, learner in enumerate(learners) if learner.reads_images]
        fixed = [i for i, learner in enumerate(learners) if not learner.reads_images]
        texts = dict(zip(fixed, self._texts(learners, fixed, names, {}), strict=True))
        per_call = max(1, self.room_to_look.of(self.images_per_call) // len(runs))  # images
        if per_image:
            per_call = max(1, min(per_call, PROMPTS_PER_CALL // (len(per_image) * len(test.names))))
        hits = torch.zeros(len(runs), dtype=torch.long, device=self.device)
        parts = (slice(start, start + per_call) for start in range(0, len(test), per_call))
        needed = not all(self._known(learner, test) for learner in learners)
        pixels = ahead(lambda part: (part, self._plain(test, part) if needed else None), parts, self.device)
        for part, images in pixels:
            heed()
            labels = moved(torch.from_numpy(test.labels[part]), self.device)
            features = dict(enumerate(self._test_features(runs, test, part, images)))
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
        given = [learners[i] for i in chosen], [names[i] for i in chosen], part
        if self.fast is None:
            return text_features(self.towers, *given)
        with computing_fast(self.device, self.fast):
            found = text_features(self.towers, *given)
        return [each if each is None else each.float() for each in found]

    @staticmethod
    def _known(learner: BaseLearner, test: TestSet) -> bool:
        """Whether the features that a learner needs of test images are there already."""
        return test.features is not None and learner.leaves_images

    def _plain(self, test: TestSet, part: slice) -> Tensor:
        """Test images (B, 3, s, s) in [0, 1]."""
        return on_device(test.images, test.rows[part], self.device) / 255

    def _test_features(self, runs: Sequence[Run], test: TestSet, part: slice, images: Tensor | None) -> list[Tensor]:
        """Each run's features of some test images (None where none needs them); what the frozen tower says of plain
        ones is known."""
        known = [self._known(run.learner, test) for run in runs]
        found = [moved(test.features[part], self.device)] * len(runs) if any(known) else [None] * len(runs)
        own = [run.learner for run, ready in zip(runs, known, strict=True) if not ready]
        if not own:
            return found
        rest = iter(self._looked_at(runs, own, [images] * len(own)))
        return [feature if ready else next(rest) for feature, ready in zip(found, known, strict=True)]

    def _looked_at(
        self, runs: Sequence[Run], learners: Sequence[BaseLearner], images: Sequence[Tensor]
    ) -> list[Tensor]:
        """Features of each learner's images without a gradient, in calls that memory holds."""
        count, most = len(images[0]), len(images[0]) * len(learners)

        def look() -> list[Tensor]:
            room, found = self.room_to_look.of(most), []
            parts = pieces(count, max(1, room // len(learners)))
            for first in range(0, len(learners), room):  # all, unless an image of each is too much
                some = slice(first, first + room)
                own = [self._look(learners[some], _cut(images[some], part)) for part in parts]
                found += [_joined(each) for each in zip(*own, strict=True)]
            return found

        return self._fitting(runs, self.room_to_look, most, look)

    def _look(self, learners: Sequence[BaseLearner], images: Sequence[Tensor]) -> list[Tensor]:
        if self.fast is None:
            return image_features(self.towers, learners, images)
        with computing_fast(self.device, self.fast):
            rows = list(map(Once(lambda own: own.contiguous(memory_format=torch.channels_last)), images))
            return [each.float() for each in image_features(self.towers, learners, rows)]

    def train(
        self,
        train: Images,
        test: TestSet,
        checkpoint: Checkpoint | None = None,
        title: str = "training",
        every: int = 1,
    ) -> float:
        """All epochs, from the checkpoint on if it holds one, with the tests of ``tested``. Returns the seconds spent,
        before it too."""
        train = resident(train, np.unique(np.concatenate([run.rows for run in self.runs])), self.device)
        if not all(self._known(run.learner, test) for run in self.runs):
            test = replace(test, images=resident(test.images, test.rows, self.device))
        self.foresee()
        place = checkpoint.resume(self.runs) if checkpoint else Place()
        began, before, epochs = time.perf_counter(), place.seconds, self.training.epochs
        due = {*tested(every, epochs)}
        with progress(title, epochs, place.epoch - (not place.tested)) as bar, patient():
            try:
                while place.epoch < epochs or not place.tested:
                    if place.tested:
                        for run in self.epoch(place.epoch + 1, train, place):
                            run.average(place.epoch)
                            run.keep_program(place.epoch)
                    if place.epoch in due:
                        self._test(place.epoch, test)
                    place.tested = True
                    bar.set_postfix_str(summary(self.runs), refresh=False)
                    bar.update()
                    place.seconds = before + time.perf_counter() - began
                    if checkpoint:
                        checkpoint.save(self.runs, place, force=place.epoch == epochs)
            except Heeded:
                if checkpoint and (place.part or not place.tested):  # not in a mapping pass, which begins anew
                    place.seconds = before + time.perf_counter() - began
                    checkpoint.save(self.runs, place, force=True)
                raise
        return place.seconds

    def _test(self, epoch: int, test: TestSet) -> None:
        """Scores the runs that have not diverged."""
        alive = [run for run in self.runs if not run.diverged]
        for run, accuracy in zip(alive, self.accuracies(alive, test) if alive else [], strict=True):
            run.score(epoch, accuracy)
            run.curve[-1] = run.curve[-1].model_copy(update={"test_accuracy": accuracy})
            run.images += len(test)

    def _order(self, run: Run) -> np.ndarray:
        """The run's rows in a new random order."""
        return run.rows[torch.randperm(len(run.rows), generator=run.order).numpy()]

    def _batches(
        self, train: Images, runs: Sequence[Run], orders: Sequence[np.ndarray], size: int
    ) -> Iterator[tuple[list[Tensor], list[Tensor], list[Tensor]]]:
        """Each run's augmented images (B, 3, side, side) and labels (B,), ``size`` at a time, in the order of its rows,
        and the states of its augmentation behind them. Where a GPU computes, the next ones are made meanwhile."""

        def batch(start: int) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
            rows = [order[start : start + size] for order in orders]
            images = self._drawn(train, runs, rows)
            labels = [moved(torch.from_numpy(train.labels[own]), self.device) for own in rows]
            return images, labels, [run.augmentation.get_state() for run in runs]

        return ahead(batch, range(0, len(orders[0]) if orders else 0, size), self.device)

    def _drawn(self, train: Images, runs: Sequence[Run], rows: Sequence[np.ndarray]) -> list[Tensor]:
        """Each run's augmented images. Runs whose rows and streams agree, as those of two methods with one seed, have
        the same tensor."""
        made: dict[tuple[bytes, bytes], tuple[Tensor, Tensor]] = {}  # images, and the stream behind them
        found = []
        for run, own in zip(runs, rows, strict=True):
            stream = run.augmentation
            draws = own.tobytes(), stream.get_state().numpy().tobytes()
            if draws not in made:
                images = training_images(self.augmentation, train, own, self.side, stream, self.device)
                made[draws] = images, stream.get_state()
            images, behind = made[draws]
            stream.set_state(behind)
            found.append(images)
        return found

    def _autocast(self) -> torch.autocast:
        dtype = PRECISIONS.get(computed_precision(self.device, self.training.precision))
        return torch.autocast(self.device.type, dtype, enabled=dtype is not None)


def _cut(images: Sequence[Tensor], part: slice) -> list[Tensor]:
    """A part of each; images that are the same stay the same tensor."""
    return list(map(Once(itemgetter(part)), images))


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """The parts of a batch, one after the other."""
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def correct(logits: Tensor, labels: Tensor) -> Tensor:
    return (logits.argmax(-1) == labels).sum()
