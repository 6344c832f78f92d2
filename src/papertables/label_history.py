"""The label mappings of a run, epoch by epoch: of each class its heaviest source labels, and how much it all changed."""

import io
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from torch import Tensor

from papertables.errors import UserError
from papertables.methods.mapping_heads import MappingHead

TOP = 20  # source labels kept of each class


@dataclass
class Mappings:
    """In order of epochs E: the epoch a mapping was made for, its heaviest source labels and their weights, each (C, K)
    with K at most ``TOP``, and the Frobenius norm of the change of the whole matrix (S, C), NaN for the first."""

    epochs: list[int] = field(default_factory=list)
    sources: list[Tensor] = field(default_factory=list)
    weights: list[Tensor] = field(default_factory=list)
    changes: list[float] = field(default_factory=list)

    def add(self, epoch: int, before: Tensor, head: MappingHead) -> None:
        """before: what ``head.mapping`` was."""
        sources, weights = head.summary(TOP)
        self.changes.append(change(before, head.mapping) if self.epochs else math.nan)
        self.epochs.append(epoch)
        self.sources.append(sources.int().cpu())
        self.weights.append(weights.half().cpu())

    def state(self) -> dict:
        return asdict(self)

    def file(self) -> bytes:
        """A compressed npz: ``epochs`` (E,), ``sources`` and ``weights`` (E, C, K), ``changes`` (E,)."""
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            epochs=np.array(self.epochs),
            sources=np.stack([each.numpy() for each in self.sources]),
            weights=np.stack([each.numpy() for each in self.weights]),
            changes=np.array(self.changes),
        )
        return buffer.getvalue()


def change(before: Tensor, after: Tensor) -> float:
    """Frobenius norm of the difference of two matrices (S, C); of two sequences (C,), of the matrices they stand for."""
    if before.ndim == 1:
        return math.sqrt(2 * int((before != after).sum()))
    return float((after - before).norm())


def read(path: Path) -> dict[str, np.ndarray]:
    """The arrays of ``Mappings.file``; UserError where there is no such file."""
    try:
        with np.load(path) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: no label mappings ({error}): delete the run's folder and run again") from None
