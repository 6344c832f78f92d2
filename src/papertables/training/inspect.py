"""What a run makes of the test images, or of images that it trained on: features, predictions and nearest sentences
before and after reprogramming.

One safetensors file per run. *After* is the trained learner on its own images; *before* is the untrained one on plain
images: its head as it is made, or, where label mappings are made from statistics, with the run's first one (of a
Bayesian mapping the heaviest labels alone: ``mapping_history.recall``).
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from papertables.attributes.sampling import read_attributes
from papertables.base.errors import UserError
from papertables.base.files import write_atomic
from papertables.base.seals import sealed_tensors
from papertables.data import cache
from papertables.data.splits import read_split, training_indices
from papertables.methods.table import METHODS
from papertables.results.inspections import SHOWN
from papertables.results.mappings import read_mappings
from papertables.results.store import Store
from papertables.specs.config import Selection
from papertables.specs.rules import InspectJob
from papertables.training.learners import make_learner, sampled_sentences

if TYPE_CHECKING:
    from torch import Tensor

    from papertables.backbones.classifier import FrozenClassifier
    from papertables.backbones.clip import FrozenClip
    from papertables.methods.learner import BaseLearner

IMAGES_PER_CALL = 256


def inspect(
    job: InspectJob, selection: Selection, store: Store, out: Path, device: str = "cpu", threads: int = 1
) -> None:
    """Writes ``out``; without tensors of a run that diverged, but for its best epoch if there is one. Raises UserError
    where the store lacks a valid record, or the learner or the mappings of a run that was trained."""
    import torch
    from safetensors.torch import save

    from papertables.backbones import checked_tower
    from papertables.backbones.frozen_features import frozen_features, sentence_features
    from papertables.base.device import pick_device

    torch.set_num_threads(threads)
    spec, split, kept = job.run, read_split(job.frozen.prepared.checked_split), job.frozen
    tower = checked_tower(kept, pick_device(device))
    frozen, sentences, sampled = frozen_features(kept, lambda: tower), {}, {}
    if job.sentences:
        sentences = sampled_sentences(spec, split, read_attributes(*map(Path, job.sentences.texts)))
        known = sentence_features(job.sentences, lambda: tower)
        sampled = {kind: known.chosen(rows) for kind, rows in sentences.items()}
    described = {
        "run": spec.id,
        "selection": selection,
        "class_names": split.class_names,
        "source_names": frozen.source_names if METHODS[spec.method].maps_labels else (),
        "sentences": {kind: [text for row in chosen for text in row] for kind, chosen in sentences.items()},
    }
    metadata = {"described": json.dumps(described)}
    try:
        metrics = store.record(spec.id)
    except UserError as error:
        raise UserError(f"{error}: delete {store.learner(spec.id).parent} and run again") from None
    if metrics.diverged and not (selection == "best" and metrics.has_best):
        write_atomic(out, sealed_tensors(save({}, metadata)))
        return

    learner = make_learner(spec, frozen, sampled, tower)
    work = _Work(learner, tower)
    plain, own = cache.read(Path(job.plain)), cache.read(Path(job.own))
    kept, labels, before = np.arange(len(plain)), frozen.labels, frozen.plain_features
    if job.part == "train":
        kept = np.flatnonzero(np.isin(plain.items, training_indices(split, spec)))
        labels, before = torch.from_numpy(plain.labels[kept]), work.plain_features(plain, kept)
    if spec.training:
        _remember(learner, store.mappings(spec.id))
    judged = {"before": work.judge(before, labels)}
    if spec.training:
        learner.load_state_dict(store.state(spec.id, selection))
    after = work.features(own, own.rows(plain.items[kept])) if spec.training else before
    judged["after"] = work.judge(after, labels)
    shown = choose(labels.numpy(), *(judged[state]["predicted"].numpy() for state in ("before", "after")))
    rows = own.rows(plain.items[kept[shown]])
    features = {"before.images": before, "after.images": after, "labels": labels, "shown": torch.from_numpy(shown)}
    features |= {f"{state}.{name}": value for state, found in judged.items() for name, value in found.items()}
    features |= {
        "before.pictures": torch.from_numpy(plain.batch(kept[shown])),
        "after.pictures": work.pictures(own, rows),
    }
    features |= {f"after.{name}": value for name, value in work.masks(own, rows).items()}
    if frozen.classes is not None:
        features["name"] = frozen.classes[:, None]
    else:
        features |= {"source.weight": frozen.weight, "source.bias": frozen.bias}
    for kind, own_sentences in sampled.items():
        features[kind] = own_sentences
        for state in ("before", "after"):
            near, cosine = nearest(features[f"{state}.images"], features[kind].flatten(0, 1))
            features |= {f"{state}.{kind}.nearest": near, f"{state}.{kind}.cosine": cosine}
    tensors = {name: value.contiguous().clone() for name, value in features.items()}  # some are the same
    write_atomic(out, sealed_tensors(save(tensors, metadata)))


def choose(labels: np.ndarray, before: np.ndarray, after: np.ndarray, most: int = SHOWN) -> np.ndarray:
    """At most ``most`` rows, by ``RULE``; the rest of the classes fill up where few predictions changed."""
    changed, others = [], []
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        moved = own[before[own] != after[own]]
        (changed if len(moved) else others).append((moved if len(moved) else own)[0])
    return np.array((changed + others)[:most])


def nearest(unit: "Tensor", sentences: "Tensor") -> tuple["Tensor", "Tensor"]:
    """Row (N,) and value (N,) of the largest cosine of each image (N, D) with sentences (M, D), all of length 1."""
    import torch

    parts = [(batch @ sentences.T).max(-1) for batch in unit.split(IMAGES_PER_CALL)]
    return torch.cat([part.indices for part in parts]), torch.cat([part.values for part in parts])


def _remember(learner: "BaseLearner", path: Path) -> None:
    """Gives an untrained learner the first label mapping of its run, if that made any from statistics."""
    from papertables.training.mapping_history import recall
    from papertables.training.run import mapping_head

    head = mapping_head(learner)
    if head is not None and head.due(1):
        recall(read_mappings(path), head)


class _Work:
    """A learner and its tower on one device; what comes out lies on the CPU."""

    def __init__(self, learner: "BaseLearner", tower: "FrozenClip | FrozenClassifier"):
        self.learner, self.tower = learner.to(tower.device).requires_grad_(False).eval(), tower

    def images(self, images: cache.ImageCache, rows: Sequence[int]) -> "Tensor":
        """In [0, 1], (B, 3, s, s)."""
        import torch

        return torch.from_numpy(images.batch(rows)).to(self.tower.device) / 255

    def features(self, images: cache.ImageCache, rows: np.ndarray) -> "Tensor":
        """Of the learner's own images (N, D), of a CLIP of length 1."""
        from papertables.training.forward import image_features

        return self._features(images, rows, lambda batch: image_features(self.tower, [self.learner], [batch])[0])

    def plain_features(self, images: cache.ImageCache, rows: np.ndarray) -> "Tensor":
        """What the frozen tower says of plain images (N, D), of a CLIP of length 1."""
        from papertables.backbones.pixels import Normalise

        normalise = Normalise(self.tower.mean, self.tower.std).to(self.tower.device)
        return self._features(images, rows, lambda batch: self.tower.encode_image(normalise(batch)))

    def _features(self, images: cache.ImageCache, rows: np.ndarray, encode: "Callable[[Tensor], Tensor]") -> "Tensor":
        import torch
        import torch.nn.functional as F

        from papertables.backbones.clip import FrozenClip

        starts = range(0, len(rows), IMAGES_PER_CALL)
        with torch.inference_mode():
            parts = [encode(self.images(images, rows[start : start + IMAGES_PER_CALL])) for start in starts]
        features = torch.cat(parts).cpu()
        return F.normalize(features, dim=-1) if isinstance(self.tower, FrozenClip) else features

    def judge(self, features: "Tensor", labels: "Tensor") -> dict[str, "Tensor"]:
        """What the head says of features (N, D) with labels (N,): the class predicted, cross-entropy and probability
        of the label, (N,) each."""
        import torch

        with torch.inference_mode():
            batches = features.split(IMAGES_PER_CALL)
            logits = torch.cat([self.learner.classify(batch.to(self.tower.device)).float().cpu() for batch in batches])
            losses = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
        return {"predicted": logits.argmax(-1), "loss": losses, "confidence": (-losses).exp()}

    def masks(self, images: cache.ImageCache, rows: Sequence[int]) -> dict[str, "Tensor"]:
        """``masks`` (B, c, P, P) and ``patterns`` (B, 3, P, P) of a program under a mask network; nothing of others."""
        import torch

        from papertables.methods.masks import Masked

        pixels = self.learner.pixels
        if not isinstance(pixels, Masked):
            return {}
        with torch.inference_mode():
            masks = pixels.mask(self.images(images, rows))
            return {"masks": masks.cpu(), "patterns": (pixels.program * masks).cpu()}

    def pictures(self, images: cache.ImageCache, rows: Sequence[int]) -> "Tensor":
        """What enters the tower as pixels, cut to the visible range: (B, 3, P, P) in bytes."""
        import torch

        from papertables.backbones.pixels import Normalise

        with torch.inference_mode():
            pixels = self.learner.pixels(self.images(images, rows)).cpu()
        return (Normalise(self.tower.mean, self.tower.std).undo(pixels).clamp(0, 1) * 255).round().to(torch.uint8)
