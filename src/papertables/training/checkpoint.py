"""The file from which an interrupted group of runs goes on."""

import io
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from papertables.base.files import write_atomic
from papertables.base.seals import Damaged, check_zip
from papertables.training.run import Run


class Checkpoint:
    """One file for a whole group, replaced by one rename, so that its runs are never an epoch apart.

    ``fingerprints``: run id to what its contents depend on. A file whose runs have others, or that cannot be
    read, is not used. Written at ends of epochs, at most every ``seconds`` (0: always), and at the last.
    """

    def __init__(self, path: Path, fingerprints: dict[str, str], seconds: float = 5.0):
        self.path, self.fingerprints, self.seconds = path, fingerprints, seconds
        self.saved = time.perf_counter()

    def save(self, runs: Sequence[Run], epoch: int, seconds: float, force: bool = False) -> None:
        if not force and time.perf_counter() - self.saved < self.seconds:
            return
        states = {run.id: run.state() for run in runs}
        content = {"fingerprints": self.fingerprints, "epoch": epoch, "seconds": seconds, "runs": states}
        buffer = io.BytesIO()
        torch.save(content, buffer)
        write_atomic(self.path, buffer.getvalue())
        self.saved = time.perf_counter()

    def read(self) -> dict | None:
        try:
            check_zip(self.path)  # torch.load compares no checksum
            content = torch.load(self.path, map_location="cpu", weights_only=True)
            return content if content["fingerprints"] == self.fingerprints else None
        except FileNotFoundError:
            return None
        except Exception as error:  # what torch raises depends on the bytes
            damage = error if isinstance(error, Damaged) else Damaged(self.path, error)
            print(f"{damage.found}: its runs start anew", file=sys.stderr)
            self.delete()
            return None

    def resume(self, runs: Sequence[Run]) -> tuple[int, float]:
        """Restores the runs; returns the epochs done and the seconds spent, (0, 0) without a usable file."""
        content = self.read()
        if content is None:
            return 0, 0.0
        for run in runs:
            run.restore(content["runs"][run.id])
        return content["epoch"], content["seconds"]

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)
