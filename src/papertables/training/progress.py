"""How far training is, on a terminal and in logs."""

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from tqdm import tqdm

from papertables.base.progress import bar

if TYPE_CHECKING:
    from papertables.training.run import Run


def progress(title: str, epochs: int, done: int) -> tqdm:
    return bar(title, epochs, done, "epoch")


def summary(runs: "Sequence[Run]") -> str:
    """Mean loss and test accuracy of the runs still going, and how many are not."""
    losses = [run.curve[-1].train_loss for run in runs if run.curve and not run.diverged]
    text = f"{len(runs)} runs"
    if known := [loss for loss in losses if loss is not None]:
        text += f", loss {fmean(known):.3f}"
    scores = [run.last.accuracy for run in runs if run.last and not run.diverged]
    if scores:
        text += f", test {fmean(scores):.1f} %"
    ended = sum(run.diverged is not None for run in runs)
    return text + (f", {ended} diverged" if ended else "")
