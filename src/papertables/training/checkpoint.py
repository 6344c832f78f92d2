"""The file from which an interrupted group of runs, or a search, goes on."""

import io
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from papertables.base.files import write_atomic
from papertables.base.seals import Damaged, check_zip


class Resumable(Protocol):
    """What is kept: a run, or a search. state: all of it that changes, as tensors and plain values."""

    id: str

    def state(self) -> dict: ...

    def restore(self, state: dict) -> None: ...


@dataclass
class Part:
    """What an epoch has gone through: the rows of each run in their order, the state of its augmentation (which may be
    drawn from ahead), by step the mean losses (S,) and the number of images, and the images told right (S,)."""

    orders: list[np.ndarray]
    streams: list[Tensor]
    losses: list[Tensor] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    hits: Tensor | int = 0

    def to(self, device: torch.device) -> None:
        self.losses = [losses.to(device) for losses in self.losses]
        if isinstance(self.hits, Tensor):
            self.hits = self.hits.to(device)

    def add(self, losses: Tensor, hits: Tensor, count: int, streams: list[Tensor]) -> None:
        self.losses.append(losses)
        self.counts.append(count)
        self.streams = streams
        self.hits = self.hits + hits


@dataclass
class Place:
    """How far a group is: the epochs it was trained for, whether it was tested after the last where it is to be, what
    of the next epoch is done, and the seconds it took."""

    epoch: int = 0
    tested: bool = True
    part: Part | None = None
    seconds: float = 0.0


class Checkpoint:
    """One file for a whole group, replaced by one rename, so that its runs are never an epoch apart.

    ``fingerprints``: run id to what its contents depend on. A file whose runs have others, or that cannot be
    read, is not used. Written at ends of epochs, at most every ``seconds`` (0: always), at the last, and wherever a job
    that is asked to end can be.
    """

    def __init__(self, path: Path, fingerprints: dict[str, str], seconds: float = 5.0):
        self.path, self.fingerprints, self.seconds = path, fingerprints, seconds
        self.saved = time.perf_counter()

    def save(self, runs: Sequence[Resumable], place: Place, force: bool = False) -> None:
        if not force and time.perf_counter() - self.saved < self.seconds:
            return
        states = {run.id: run.state() for run in runs}
        content = {"fingerprints": self.fingerprints, "place": _plain(place), "runs": states}
        buffer = io.BytesIO()
        torch.save(content, buffer)
        write_atomic(self.path, buffer.getvalue())
        self.saved = time.perf_counter()

    def read(self) -> dict | None:
        try:
            check_zip(self.path)  # torch.load compares no checksum
            content = torch.load(self.path, map_location="cpu", weights_only=True)
            content["place"] = _place(content["place"])
            return content if content["fingerprints"] == self.fingerprints else None
        except FileNotFoundError:
            return None
        except Exception as error:  # what torch raises depends on the bytes
            damage = error if isinstance(error, Damaged) else Damaged(self.path, error)
            print(f"{damage.found}: its runs start anew", file=sys.stderr)
            self.delete()
            return None

    def resume(self, runs: Sequence[Resumable]) -> Place:
        """Restores the runs; returns how far they are, at the beginning without a usable file."""
        content = self.read()
        if content is None:
            return Place()
        for run in runs:
            run.restore(content["runs"][run.id])
        return content["place"]

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)


def _plain(place: Place) -> dict:
    """As tensors and plain values."""
    plain = asdict(place)
    if place.part:
        plain["part"]["orders"] = [torch.from_numpy(order) for order in place.part.orders]
    return plain


def _place(plain: dict) -> Place:
    part = plain["part"]
    if part:
        part = Part(**part | {"orders": [order.numpy() for order in part["orders"]]})
    return Place(**plain | {"part": part})
