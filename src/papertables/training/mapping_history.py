"""The label mappings of a run, epoch by epoch: of each class its heaviest source labels, and how much it all changed;
and its program, now and then."""

import io
import math
from dataclasses import asdict, dataclass, field

import numpy as np
import torch
from torch import Tensor

from papertables.methods.mapping_heads import MappingHead

TOP = 20  # source labels kept of each class


@dataclass
class Mappings:
    """In order of epochs E: the epoch a mapping was made for, its heaviest source labels and their weights, each (C, K)
    with K at most ``TOP``, and the Frobenius norm of the change of the whole matrix (S, C), NaN for the first. In order
    of epochs G, those of ``kept``: the epoch after which a program was kept, and the program (3, P, P) in fp16. lost:
    nothing is kept any more."""

    epochs: list[int] = field(default_factory=list)
    sources: list[Tensor] = field(default_factory=list)
    weights: list[Tensor] = field(default_factory=list)
    changes: list[float] = field(default_factory=list)
    program_epochs: list[int] = field(default_factory=list)
    programs: list[Tensor] = field(default_factory=list)
    lost: bool = False

    def add(self, epoch: int, before: Tensor, head: MappingHead) -> None:
        """before: what ``head.mapping`` was."""
        if self.lost:
            return
        sources, weights = head.summary(TOP)
        self.changes.append(change(before, head.mapping) if self.epochs else math.nan)
        self.epochs.append(epoch)
        self.sources.append(sources.int().cpu())
        self.weights.append(weights.half().cpu())

    def snapshot(self, epoch: int, epochs: int, program: Tensor) -> None:
        """Keeps the program (3, P, P) as it is after ``epoch`` (from 1) of ``epochs``, if that is one of ``kept``."""
        if epoch in kept(epochs):
            self.program_epochs.append(epoch)
            self.programs.append(program.detach().to("cpu", torch.float16, copy=True))

    def state(self) -> dict:
        return asdict(self)

    def file(self) -> bytes:
        """A compressed npz: ``epochs`` (E,), ``sources`` and ``weights`` (E, C, K), ``changes`` (E,),
        ``program_epochs`` (G,) and, unless G = 0, ``programs`` (G, 3, P, P)."""
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            epochs=np.array(self.epochs),
            sources=np.stack([each.numpy() for each in self.sources]),
            weights=np.stack([each.numpy() for each in self.weights]),
            changes=np.array(self.changes),
            program_epochs=np.array(self.program_epochs, int),
            **({"programs": torch.stack(self.programs).numpy()} if self.programs else {}),
        )
        return buffer.getvalue()


def kept(epochs: int) -> list[int]:
    """The epochs after which the program is kept: the first and those at the ends of the quarters."""
    return sorted({1, *(math.ceil(quarter * epochs / 4) for quarter in (1, 2, 3, 4))})


def change(before: Tensor, after: Tensor) -> float:
    """Frobenius norm of the difference of two matrices (S, C); of sequences (C,), of the matrices they stand for."""
    if before.ndim == 1:
        return math.sqrt(2 * int((before != after).sum()))
    return float((after - before).norm())


@torch.no_grad()
def recall(history: dict[str, np.ndarray], head: MappingHead, number: int = 0) -> None:
    """Gives the head mapping ``number`` of what ``read`` gives. Of a Bayesian matrix only the heaviest ``TOP`` labels
    of each class are known: the others get no weight, and the known weights are scaled to a sum of 1."""
    sources = torch.from_numpy(history["sources"][number]).long()  # (C, K)
    if head.name == "sequence":
        head.mapping.copy_(sources[:, 0])
        return
    weights = torch.from_numpy(history["weights"][number]).float()
    weights /= weights.sum(1, keepdim=True)
    head.mapping.zero_().scatter_(0, sources.T.to(head.mapping.device), weights.T.to(head.mapping.device))
