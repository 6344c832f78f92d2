"""What a run makes of the test images: features, predictions and nearest sentences before and after reprogramming.

One safetensors file per run. *After* is the trained learner on its own images; *before* is the untrained one on plain
images: its head as it is made, or, where label mappings are made from statistics, with the run's first one (of a
Bayesian mapping the heaviest labels alone: ``label_history.recall``).

Tensors: ``before.images`` and ``after.images`` (N, D), features in fp32, of a CLIP of length 1, of a classifier as they
enter its last layer; ``….predicted`` (N,), ``….loss`` (N,), the cross-entropy in nats, ``….confidence`` (N,), the
probability of the true class; ``labels`` (N,). Of the ``shown`` (E,) images ``before.pictures`` and ``after.pictures``
(E, 3, P, P) in bytes and, of a program δ under a mask network, ``after.masks`` (E, c, P, P) and ``after.patterns``
(E, 3, P, P) = δ ⊙ mask, as added to normalised pixels. Of a CLIP ``name`` (C, 1, D), the class prompts; for a method
with attributes ``descriptive`` and ``distinctive`` (C, m, D), and of each kind the sentence with the largest cosine:
``before.descriptive.nearest`` (N,), a row of (C · m), and ``….cosine`` (N,). The metadata is one entry, for several
would be written in any order: as JSON the run, the selection, the names of the classes and, where labels are mapped,
of the source labels, and the sentences.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import safe_open

from papertables.attributes.sampling import read_attributes
from papertables.backbones.catalog import backbone
from papertables.config import Selection
from papertables.data import cache
from papertables.data.splits import read_split
from papertables.files import write_atomic
from papertables.methods import METHODS
from papertables.results.store import Store
from papertables.spec import RunSpec
from papertables.training.learners import make_learner, sampled_sentences

if TYPE_CHECKING:
    from torch import Tensor, nn

    from papertables.backbones.classifier import FrozenClassifier
    from papertables.backbones.clip import FrozenClip

IMAGES_PER_CALL = 256
SHOWN = 8  # images whose pictures are kept
RULE = "of each class, in order, the first test image whose prediction changed, then the first of the other classes"


@dataclass(frozen=True)
class Embedded:
    """The content of the file; ``state`` is before or after, ``kind`` descriptive or distinctive."""

    run: str
    selection: str
    class_names: tuple[str, ...]
    sentences: dict[str, tuple[str, ...]]  # by kind, (C · m)
    tensors: dict[str, np.ndarray]
    source_names: tuple[str, ...] = ()  # (S,)

    @property
    def labels(self) -> np.ndarray:
        return self.tensors["labels"]  # (N,)

    @property
    def shown(self) -> np.ndarray:
        return self.tensors["shown"]  # (E,)

    def name(self, label: int) -> str:
        return self.class_names[label].replace("_", " ")

    def images(self, state: str) -> np.ndarray:
        return self.tensors[f"{state}.images"]  # (N, D)

    def predicted(self, state: str) -> np.ndarray:
        return self.tensors[f"{state}.predicted"]  # (N,)

    def loss(self, state: str) -> np.ndarray:
        return self.tensors[f"{state}.loss"]  # (N,)

    def confidence(self, state: str) -> np.ndarray:
        return self.tensors[f"{state}.confidence"]  # (N,)

    def pictures(self, state: str) -> np.ndarray:
        return self.tensors[f"{state}.pictures"]  # (E, 3, P, P)

    @property
    def masks(self) -> np.ndarray | None:
        """(E, c, P, P); None where no network makes them."""
        return self.tensors.get("after.masks")

    @property
    def patterns(self) -> np.ndarray | None:
        """(E, 3, P, P), beside the masks."""
        return self.tensors.get("after.patterns")

    def nearest(self, state: str, kind: str) -> np.ndarray:
        return self.tensors[f"{state}.{kind}.nearest"]  # (N,)

    def cosines(self, state: str, kind: str) -> np.ndarray:
        return self.tensors[f"{state}.{kind}.cosine"]  # (N,)

    def texts(self) -> dict[str, np.ndarray]:
        """Features (C, m, D) of the sampled sentences by kind, or (C, 1, D) of the class prompts where there are
        none; nothing of a classifier."""
        return {kind: self.tensors[kind] for kind in (self.sentences or ("name",)) if kind in self.tensors}

    def accuracy(self, state: str) -> float:
        """In percent."""
        return 100 * float((self.predicted(state) == self.labels).mean())


def read(path: Path) -> Embedded:
    with safe_open(path, "np") as file:
        metadata = json.loads(file.metadata()["described"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return Embedded(
        run=metadata["run"],
        selection=metadata["selection"],
        class_names=tuple(metadata["class_names"]),
        sentences={kind: tuple(texts) for kind, texts in metadata["sentences"].items()},
        tensors=tensors,
        source_names=tuple(metadata["source_names"]),
    )


def embed(
    spec: RunSpec,
    *,
    runs: Path,
    dataset: Path,
    cache_plain: Path,
    cache_own: Path,
    encoded: Path,
    attributes: tuple[Path, Path] | None,
    weights: Path,
    out: Path,
    selection: Selection,
    device: str = "cpu",
    threads: int = 1,
) -> None:
    """Writes ``out``; of a run that diverged, without tensors.

    runs: the store. dataset: the folder with ``split.json``. cache_plain, cache_own: test images at the backbone's
    side and at the run's. encoded: what ``encode`` wrote. attributes: the run's descriptive and distinctive files.
    Raises UserError where the store lacks the learner, or the mappings, of a run that was trained.
    """
    import torch
    from safetensors.torch import save

    from papertables.backbones import frozen_features as encode
    from papertables.backbones import load_tower
    from papertables.device import pick_device

    torch.set_num_threads(threads)
    split, frozen = read_split(dataset / "split.json"), encode.read(encoded)
    texts = read_attributes(*attributes) if attributes else None
    sentences = sampled_sentences(spec, split, texts) if spec.attributes else {}
    described = {
        "run": spec.id,
        "selection": selection,
        "class_names": split.class_names,
        "source_names": frozen.source_names if METHODS[spec.method].maps_labels else (),
        "sentences": {kind: [text for row in chosen for text in row] for kind, chosen in sentences.items()},
    }
    metadata, store = {"described": json.dumps(described)}, Store(runs)
    if (metrics := store.read(spec.id)) and metrics.outcome == "diverged":
        write_atomic(out, save({}, metadata))
        return

    tower = load_tower(backbone(spec.backbone), weights, pick_device(device))
    learner = make_learner(spec, frozen, sentences, tower)
    work = _Work(learner, tower)
    plain, own = cache.read(cache_plain), cache.read(cache_own)

    labels, before = frozen.labels, frozen.plain_features
    if spec.training:
        _remember(learner, store.mappings(spec.id))
    judged = {"before": work.judge(before, labels)}
    if spec.training:
        learner.load_state_dict(store.state(spec.id, selection))
    after = work.features(own) if spec.training else before
    judged["after"] = work.judge(after, labels)
    shown = choose(labels.numpy(), *(judged[state]["predicted"].numpy() for state in ("before", "after")))
    rows = own.rows(plain.items[shown])
    features = {"before.images": before, "after.images": after, "labels": labels, "shown": torch.from_numpy(shown)}
    features |= {f"{state}.{name}": value for state, found in judged.items() for name, value in found.items()}
    features |= {"before.pictures": torch.from_numpy(plain.batch(shown)), "after.pictures": work.pictures(own, rows)}
    features |= {f"after.{name}": value for name, value in work.masks(own, rows).items()}
    if frozen.classes is not None:
        features["name"] = frozen.classes[:, None]
    for kind, chosen in sentences.items():
        features[kind] = frozen.features(chosen)
        for state in ("before", "after"):
            near, cosine = nearest(features[f"{state}.images"], features[kind].flatten(0, 1))
            features |= {f"{state}.{kind}.nearest": near, f"{state}.{kind}.cosine": cosine}
    tensors = {name: value.contiguous().clone() for name, value in features.items()}  # some are the same
    write_atomic(out, save(tensors, metadata))


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


def _remember(learner: "nn.Module", path: Path) -> None:
    """Gives an untrained learner the first label mapping of its run, if that made any from statistics."""
    from papertables.methods.mapping_heads import MappingHead
    from papertables.training import mapping_history as label_history

    if isinstance(learner.logits, MappingHead) and learner.logits.due(1):
        label_history.recall(label_history.read(path), learner.logits)


class _Work:
    """A learner and its tower on one device; what comes out lies on the CPU."""

    def __init__(self, learner: "nn.Module", tower: "FrozenClip | FrozenClassifier"):
        self.learner, self.tower = learner.to(tower.device).requires_grad_(False).eval(), tower

    def images(self, images: cache.ImageCache, rows: Sequence[int]) -> "Tensor":
        """In [0, 1], (B, 3, s, s)."""
        import torch

        return torch.from_numpy(images.batch(rows)).to(self.tower.device) / 255

    def features(self, images: cache.ImageCache) -> "Tensor":
        """(N, D), of a CLIP of length 1."""
        import torch
        import torch.nn.functional as F

        from papertables.backbones.clip import FrozenClip

        encode, parts = getattr(self.learner, "features", self.tower.encode_image), []
        with torch.inference_mode():
            for start in range(0, len(images), IMAGES_PER_CALL):
                rows = range(start, min(start + IMAGES_PER_CALL, len(images)))
                parts.append(encode(self.learner.pixels(self.images(images, rows))).cpu())
        features = torch.cat(parts)
        return F.normalize(features, dim=-1) if isinstance(self.tower, FrozenClip) else features

    def judge(self, features: "Tensor", labels: "Tensor") -> dict[str, "Tensor"]:
        """Of features (N, D) with labels (N,): the class predicted, cross-entropy and probability of the label, (N,)
        each."""
        import torch

        with torch.inference_mode():
            batches = features.split(IMAGES_PER_CALL)
            logits = torch.cat([self.learner.logits(batch.to(self.tower.device)).float().cpu() for batch in batches])
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

        with torch.inference_mode():
            pixels = self.learner.pixels(self.images(images, rows)).cpu()
        mean, std = (torch.tensor(each).view(3, 1, 1) for each in (self.tower.mean, self.tower.std))
        return ((pixels * std + mean).clamp(0, 1) * 255).round().to(torch.uint8)
