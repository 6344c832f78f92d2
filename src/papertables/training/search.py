"""ATPrompt's differentiable search for attributes (its section 3.3).

Every combination of the bases has learned contexts of its own and a weight; contexts learn from training images,
weights from validation images, in turn. The heaviest combination wins. Both towers compute in fp32, on a GPU
too, as the released search does.
"""

import time
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from papertables import NUMERICS
from papertables.backbones import load_tower
from papertables.backbones.calls import TOKENS_PER_CALL
from papertables.backbones.catalog import backbone_with
from papertables.backbones.frozen_features import IMAGES_PER_CALL
from papertables.backbones.pixels import Normalise
from papertables.backbones.prompts import Text, TextPrompts
from papertables.base.code import ROOMS, code_digest, source_files
from papertables.base.device import make_deterministic, moved, pick_device
from papertables.base.errors import UserError
from papertables.base.files import write_atomic
from papertables.base.seals import sealed_json
from papertables.data import cache
from papertables.data.augment import training_images
from papertables.data.feed import ahead
from papertables.data.splits import read_split, search_items
from papertables.methods.layout import layout, place
from papertables.methods.prompt_names import AttributeTokens
from papertables.methods.seeding import seeded
from papertables.results.searches import SearchResult, all_combinations
from papertables.specs.rules import SearchJob
from papertables.specs.spec import Combination, Optimizer, Schedule, SearchSpec, Training, digest
from papertables.training.checkpoint import Checkpoint, Place
from papertables.training.learners import prompt_names
from papertables.training.optimization import learning_rate
from papertables.training.progress import progress
from papertables.training.run import random_stream

MOMENTUM, WEIGHT_DECAY, BETAS = 0.9, 5e-4, (0.5, 0.999)
WARMUP = {"warmup_epochs": 1, "warmup_lr": 1e-5}
CONTEXT_STD, ATTRIBUTE_STD = 0.02, 0.01


class Search(nn.Module):
    """K combinations for C classes. ``vectors`` (V, W): all contexts, combination by combination, in the order of their
    layouts; ``weights`` (K,), before the softmax, drawn from [0, 1)."""

    def __init__(
        self,
        text: Text,
        logit_scale: Tensor,
        class_names: Sequence[str],
        combinations: Sequence[Combination],
        context: int,
        attribute_context: int | None = None,
        seed: int = 0,
        attribute_tokens: AttributeTokens = "first",
    ):
        super().__init__()
        self.combinations = combinations
        counts = [attribute_context or context] * max(map(len, combinations))
        layouts = [layout(context, own, counts[: len(own)]) for own in combinations]
        placed = [
            place(each, class_names, text.encode, text.start, text.end, text.length, attribute_tokens)
            for each in layouts
        ]
        longest = max(each.tokens.shape[1] for each in placed)
        room = [(0, longest - each.tokens.shape[1]) for each in placed]
        tokens = torch.stack([F.pad(each.tokens, own) for each, own in zip(placed, room, strict=True)])
        self.names = [(i, name, n) for i, each in enumerate(placed) for name, n in each.lengths.items()]
        first = [*accumulate((sum(each.lengths.values()) for each in placed), initial=0)]
        index = [
            F.pad(torch.where(each.index < 0, each.index, each.index + start), own, value=-1)
            for each, start, own in zip(placed, first[:-1], room, strict=True)
        ]
        self.shared = [each.shared() for each in placed]
        self.lengths = [each.tokens.shape[1] for each in placed]
        self._rows: dict[tuple, Tensor] = {}
        self.register_buffer("index", torch.stack(index))  # (K, C, L)
        self.register_buffer("ends", torch.stack([each.ends for each in placed]))  # (K, C)
        self.register_buffer("embedded", text.embed(tokens).detach())  # (K, C, L, W)
        self.register_buffer("scale", logit_scale.clone())
        std = {"context": CONTEXT_STD}
        with seeded(seed):
            drawn = [std.get(name, ATTRIBUTE_STD) * torch.randn(n, text.width) for _, name, n in self.names]
            self.vectors = nn.Parameter(torch.cat(drawn))
            self.weights = nn.Parameter(torch.rand(len(combinations)))

    def prompts(self, chosen: Sequence[int] | None = None) -> TextPrompts:
        """The prompts of every class in some combinations, (k · C), or in all."""
        chosen = tuple(range(len(self.combinations)) if chosen is None else chosen)
        lengths, shared = tuple(self.lengths[i] for i in chosen), min(self.shared[i] for i in chosen)
        rows, length = self.rows(chosen), max(lengths)
        index, embedded = self.index[rows, :, :length], self.embedded[rows, :, :length]
        whole = torch.where((index >= 0)[..., None], self.vectors[index.clamp(min=0)], embedded)
        alike = {"family": index.shape[1], "shared": shared}
        return TextPrompts(whole.flatten(0, 1), self.ends[rows].flatten(), lengths, **alike)

    def rows(self, chosen: tuple[int, ...]) -> Tensor:
        """Combinations as an index, remembered on the device that it is for: sending it there takes a wait."""
        device = self.index.device
        if (chosen, device) not in self._rows:
            self._rows[chosen, device] = torch.tensor(chosen, device=device)
        return self._rows[chosen, device]

    def calls(self, tokens: int | None = None) -> list[list[int]]:
        """Combinations whose prompts go through a tower together: those of as many attributes, which are about as long,
        for the longest has the others padded. tokens: at most so many in a call, the shortest combinations first."""
        if tokens is None:
            sizes = [len(own) for own in self.combinations]
            return [[i for i, own in enumerate(sizes) if own == size] for size in sorted({*sizes})]
        calls: list[list[int]] = []
        for i in sorted(range(len(self.combinations)), key=self.lengths.__getitem__):
            more = [*calls[-1], i] if calls else [i]
            shared = min(self.shared[each] for each in more)
            if calls and len(more) * (shared + self.index.shape[1] * (self.lengths[i] - shared)) <= tokens:
                calls[-1] = more
            else:
                calls.append([i])
        return calls

    def logits(self, features: Tensor, texts: Tensor) -> Tensor:
        """(B, D) with texts (K · C, D) to (B, C): logits of all combinations, mixed by the softmax of their weights."""
        features, texts = F.normalize(features, dim=-1), F.normalize(texts, dim=-1)
        mixed = self.weights.softmax(0) @ texts.unflatten(0, (len(self.weights), -1)).flatten(1)  # (C · D)
        return self.scale.exp() * features @ mixed.view(-1, texts.shape[1]).T


class Searcher:
    """The two optimisers. ``tower``: of a CLIP, in evaluation mode. tokens_per_call: as ``Search.calls`` takes it; of
    several such calls only the inputs are kept for the gradient."""

    def __init__(
        self,
        learner: Search,
        tower,
        weight_lr: float,
        weight_decay: float = WEIGHT_DECAY,
        momentum: float = MOMENTUM,
        betas: tuple[float, float] = BETAS,
        tokens_per_call: int | None = None,
    ):
        self.learner, self.tower = learner, tower
        self.contexts = torch.optim.SGD([learner.vectors], lr=0.0, momentum=momentum, weight_decay=weight_decay)
        self.weights = torch.optim.Adam([learner.weights], lr=weight_lr, betas=betas)
        self.optimizers = (self.contexts, self.weights)
        self.calls = learner.calls(tokens_per_call)
        order = torch.tensor([i for own in self.calls for i in own], device=learner.embedded.device)
        self.order = order.argsort()  # where each combination is among the calls
        self.recomputed = tokens_per_call is not None and len(self.calls) > 1

    def texts(self) -> Tensor:
        """Features (K · C, D) of all prompts as they are now."""
        parts = [self._part(self.learner.prompts(own)) for own in self.calls]
        return torch.cat(parts).unflatten(0, (len(self.order), -1))[self.order].flatten(0, 1)

    def _part(self, prompts: TextPrompts) -> Tensor:
        if self.recomputed and torch.is_grad_enabled():
            return checkpoint(self.tower.encode_prompts, prompts, use_reentrant=False)
        return self.tower.encode_prompts(prompts)

    def learn_contexts(self, features: Tensor, labels: Tensor, lr: float) -> tuple[Tensor, Tensor]:
        """A step on training features (B, D); returns loss and logits before it."""
        self.contexts.param_groups[0]["lr"] = lr
        logits = self.learner.logits(features, self.texts())
        return self._step(self.contexts, logits, labels)

    def learn_weights(self, features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """A step on validation features, with the contexts as they are now."""
        with torch.no_grad():
            texts = self.texts()
        return self._step(self.weights, self.learner.logits(features, texts), labels)

    def _step(self, optimizer: torch.optim.Optimizer, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        loss = F.cross_entropy(logits, labels)
        self.learner.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach(), logits.detach()


class Course:
    """How far a search is. weights: (K,) after each epoch, after the softmax; losses: of training and validation.
    batches: of validation images, in turn."""

    def __init__(self, spec: SearchSpec, searcher: Searcher, batches: Sequence[slice]):
        self.id, self.spec, self.searcher, self.batches, self.step = spec.id, spec, searcher, batches, 0
        self.order = random_stream("search order", spec.seed)
        self.augmentation = random_stream("search augmentation", spec.seed)
        self.weights: list[list[float]] = []
        self.losses: list[list[float]] = []

    def next_validation(self) -> slice:
        self.step += 1
        return self.batches[(self.step - 1) % len(self.batches)]

    def ended(self, losses: list[float]) -> None:
        """After an epoch. Raises UserError where a loss is not finite."""
        self.losses.append(losses)
        if not np.isfinite(losses).all():
            raise UserError(
                f"search on {self.spec.dataset}, seed {self.spec.seed}: a loss of epoch {len(self.losses)} is not "
                "finite: its learning rates are too high"
            )
        self.weights.append(self.searcher.learner.weights.detach().softmax(0).tolist())

    def state(self) -> dict:
        """Everything that changes, as tensors and plain values."""
        learner = self.searcher.learner
        return {
            "vectors": learner.vectors.detach(),
            "weights": learner.weights.detach(),
            "optimizers": [each.state_dict() for each in self.searcher.optimizers],
            "streams": [self.order.get_state(), self.augmentation.get_state()],
            "step": self.step,
            "course": [self.weights, self.losses],
        }

    def restore(self, state: dict) -> None:
        with torch.no_grad():
            for name in ("vectors", "weights"):
                getattr(self.searcher.learner, name).copy_(state[name])
        for optimizer, own in zip(self.searcher.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(own)
        for stream, own in zip((self.order, self.augmentation), state["streams"], strict=True):
            stream.set_state(own)
        self.step, (self.weights, self.losses) = state["step"], state["course"]


def search(job: SearchJob, out: Path, device: str = "cpu", threads: int = 1) -> None:
    """Writes a ``SearchResult``; one that was interrupted goes on from the last epoch that it ended. The caches hold at
    least the few-shot images of the search's seed. It sees base classes alone, since those are trained on afterwards,
    as the released searches did."""
    torch.set_num_threads(threads)
    began, chosen, spec = time.perf_counter(), pick_device(device), job.search
    make_deterministic(chosen)
    entry, weights = backbone_with(spec.backbone, job.own_weights), Path(job.weights)
    fingerprint = entry.check(weights)
    tower = load_tower(entry, weights, chosen)
    split = read_split(job.prepared.checked_split)
    train, validation = cache.read(Path(job.train)), cache.read(Path(job.val))
    items, validation_items = search_items(split, spec)
    rows, validation_rows = train.rows(items), validation.rows(validation_items)
    learner = Search(
        tower.text,
        tower.logit_scale,
        prompt_names(split.class_names, "base"),
        all_combinations(spec.bases, spec.sizes),
        spec.context,
        seed=spec.seed,
        attribute_tokens=spec.attribute_tokens,
    ).to(chosen)
    most = TOKENS_PER_CALL if chosen.type == "cuda" else None
    searcher = Searcher(learner, tower, spec.weight_lr, tokens_per_call=most)
    with torch.no_grad():
        seen = _features(tower, torch.from_numpy(validation.batch(validation_rows)).to(chosen) / 255)
    targets = torch.from_numpy(validation.labels[validation_rows]).to(chosen)
    course = Course(spec, searcher, _validation_batches(len(targets), spec))
    code = code_digest(source_files(__name__, ROOMS))
    known = digest([job.prepared.digest, fingerprint, NUMERICS, code, spec.model_dump(mode="json")])
    kept, training = Checkpoint(out.with_suffix(".pt"), {spec.id: known}), _schedule(spec)
    place = kept.resume([course])

    def augmented(batch: np.ndarray) -> tuple[Tensor, Tensor]:
        images = training_images("resized_crop", train, batch, tower.image_size, course.augmentation, chosen)
        return images, moved(torch.from_numpy(train.labels[batch]), chosen)

    with progress(f"search {spec.dataset}", spec.epochs, place.epoch) as bar:
        for epoch in range(place.epoch, spec.epochs):
            steps = []
            shuffled = rows[torch.randperm(len(rows), generator=course.order).numpy()]
            for images, labels in ahead(augmented, _batches(shuffled, spec.batch_size), chosen):
                with torch.no_grad():
                    features = _features(tower, images)
                fitted, _ = searcher.learn_contexts(features, labels, learning_rate(training, epoch, 0, 1))
                own = course.next_validation()
                weighed, _ = searcher.learn_weights(seen[own], targets[own])
                steps.append(torch.stack([fitted, weighed]))
            course.ended(torch.stack(steps).cpu().double().numpy().mean(axis=0).tolist())
            kept.save([course], Place(epoch + 1, seconds=place.seconds + time.perf_counter() - began), force=True)
            bar.update()
    result = SearchResult(
        spec=spec,
        combinations=all_combinations(spec.bases, spec.sizes),
        weights=course.weights,
        train_loss=[train for train, _ in course.losses],
        validation_loss=[validation for _, validation in course.losses],
        seconds=place.seconds + time.perf_counter() - began,
        data=job.prepared.digest,
        backbone=fingerprint,
    )
    write_atomic(out, sealed_json(result.model_dump_json(indent=1)))
    kept.delete()


def _schedule(spec: SearchSpec) -> Training:
    """Dassl's: cosine by epoch, after one epoch at a constant rate."""
    optimizer = Optimizer(name="sgd", lr=spec.lr, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    schedule = Schedule(name="cosine_epoch", **WARMUP)
    return Training(epochs=spec.epochs, batch_size=spec.batch_size, optimizer=optimizer, schedule=schedule)


def _batches(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Without an incomplete last one, unless it is the only one."""
    count = max(1, len(rows) // size)
    yield from (rows[i * size : (i + 1) * size] for i in range(count))


def _validation_batches(count: int, spec: SearchSpec) -> list[slice]:
    """Of the validation images in order: those that are taken in turn, or the first alone."""
    starts = range(0, count if spec.validation == "cycle" else 1, spec.validation_batch)
    return [slice(start, start + spec.validation_batch) for start in starts]


def _features(tower, images: Tensor) -> Tensor:
    """(B, D) of images (B, 3, P, P) in [0, 1]."""
    parts = Normalise(tower.mean, tower.std).to(images.device)(images).split(IMAGES_PER_CALL)
    return torch.cat([tower.encode_image(part) for part in parts])
