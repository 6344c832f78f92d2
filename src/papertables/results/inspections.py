"""What an inspected run makes of the test images, or of N that it trained on, as ``training.inspect`` writes it: one
safetensors file per run.

Tensors: ``before.images`` and ``after.images`` (N, D), features in fp32, of a CLIP of length 1, of a classifier as they
enter its last layer; ``….predicted`` (N,), ``….loss`` (N,), the cross-entropy in nats, ``….confidence`` (N,), the
probability of the true class; ``labels`` (N,). Of the ``shown`` (E,) images ``before.pictures`` and ``after.pictures``
(E, 3, P, P) in bytes and, of a program δ under a mask network, ``after.masks`` (E, c, P, P) and ``after.patterns``
(E, 3, P, P) = δ ⊙ mask, as added to normalised pixels. Of a classifier its last layer, ``source.weight`` (S, D) and
``source.bias`` (S,). Of a CLIP ``name`` (C, 1, D), the class prompts; for a method
with attributes ``descriptive`` and ``distinctive`` (C, m, D), and of each kind the sentence with the largest cosine:
``before.descriptive.nearest`` (N,), a row of (C · m), and ``….cosine`` (N,). The metadata is one entry, for several
would be written in any order: as JSON the run, the selection, the names of the classes and, where labels are mapped,
of the source labels, and the sentences.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from papertables.base.errors import UserError, reason
from papertables.base.seals import MEND, SEAL, check_tensors

ROUNDING = 1e-3  # of a cosine, and of a confidence against its loss
STATES = ("before", "after")
SHOWN = 8  # images whose pictures are kept
RULE = "of each class, in order, the first test image whose prediction changed, then the first of the other classes"


@dataclass(frozen=True)
class Inspection:
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

    def source_logits(self, state: str) -> np.ndarray:
        """(N, S), of a classifier: its output layer, before labels are mapped."""
        return self.images(state) @ self.tensors["source.weight"].T + self.tensors["source.bias"]

    def chosen(self, names: Collection[str], most: int) -> list[int]:
        """The labels of these classes; where there are none of them, the first ``most``."""
        labels = range(len(self.class_names))
        return [label for label in labels if self.name(label) in names] or list(labels[:most])

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


def read_inspection(path: Path) -> Inspection:
    """Raises UserError for a file that is none, is of another run than its place says, or contradicts itself."""
    from safetensors import SafetensorError  # not where only pages are made

    try:
        check_tensors(path)
        found = _read(path)
    except (OSError, SafetensorError, ValueError, TypeError, KeyError) as error:
        raise _unsound(path, f"{type(error).__name__}: {reason(error)}") from None
    if path.parts[-4:] != (found.selection, *f"{found.run}.safetensors".split("/")):
        raise _unsound(path, f"it is of {found.run}, {found.selection} epoch")
    for problem in _problems(found):
        raise _unsound(path, problem)
    return found


def _unsound(path: Path, reason: str) -> UserError:
    return UserError(f"{path}: no inspection of a run ({reason}): {MEND}")


def _read(path: Path) -> Inspection:
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        metadata = json.loads(file.metadata()["described"])
        tensors = {name: file.get_tensor(name) for name in file.keys() if name != SEAL}  # noqa: SIM118
    return Inspection(
        run=metadata["run"],
        selection=metadata["selection"],
        class_names=tuple(metadata["class_names"]),
        sentences={kind: tuple(texts) for kind, texts in metadata["sentences"].items()},
        tensors=tensors,
        source_names=tuple(metadata["source_names"]),
    )


def _problems(found: Inspection) -> Iterator[str]:
    """What cannot be of one run. A run that diverged has no tensors."""
    tensors, classes = found.tensors, len(found.class_names)
    if not tensors:
        return
    of_images = [f"{state}.{name}" for state in STATES for name in ("images", "predicted", "loss", "confidence")]
    of_shown = [f"{state}.pictures" for state in STATES]
    of_sentences = [
        f"{state}.{kind}.{name}" for state in STATES for kind in found.sentences for name in ("nearest", "cosine")
    ]
    lacking = [name for name in ("labels", "shown", *of_images, *of_shown, *of_sentences) if name not in tensors]
    if lacking:
        yield f"without {', '.join(lacking)}"
        return
    count = len(found.labels)
    if any(len(tensors[name]) != count for name in (*of_images, *of_sentences)):
        yield "not one value per image"
        return
    if any(len(tensors[name]) != len(found.shown) for name in of_shown):
        yield "not one picture per image shown"
    if not _within(found.shown, 0, count - 1):
        yield "it shows images that there are not"
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            yield f"{name} is not finite"
    for name in ("labels", "before.predicted", "after.predicted"):
        if not _within(tensors[name], 0, classes - 1):
            yield f"{name} names classes that there are not"
    for state in STATES:
        if not np.allclose(found.confidence(state), np.exp(-found.loss(state)), rtol=0, atol=ROUNDING):
            yield f"{state}.confidence is not that of {state}.loss"
        for kind, texts in found.sentences.items():
            if not _within(found.nearest(state, kind), 0, len(texts) - 1):
                yield f"{state}.{kind}.nearest names sentences that there are not"
            if not _within(found.cosines(state, kind), -1 - ROUNDING, 1 + ROUNDING):
                yield f"{state}.{kind}.cosine is not in [-1, 1]"


def _within(values: np.ndarray, least: float, most: float) -> bool:
    return bool(((values >= least) & (values <= most)).all())
