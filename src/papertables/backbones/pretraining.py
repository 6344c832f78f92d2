"""How the tiny backbones are trained, and the record of it."""

import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from papertables.base.files import file_digest

KEPT_EVERY, TOLD_EVERY = 400, 100  # steps
SCORED = 600  # images, at these


def fit(
    name: str,
    optimizers: Sequence[torch.optim.Optimizer],
    steps: int,
    loss: Callable[[int], Tensor],
    keep: Callable[[int], dict[str, float]],
    log: Callable[[str], None],
) -> list[float]:
    """Takes that many steps and returns the loss of each. Rates warm up over the first twentieth, then fall as a
    cosine. loss: of a step, from 0. keep: saves the weights and scores them on a number of images; called now and then.
    """
    began, warm_up, losses = time.perf_counter(), max(1, steps // 20), []
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda i: min((i + 1) / warm_up, 0.5 + 0.5 * math.cos(math.pi * i / steps))
        )
        for optimizer in optimizers
    ]
    for step in range(steps):
        found = loss(step)
        for optimizer in optimizers:
            optimizer.zero_grad()
        found.backward()
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
        losses.append(found.item())
        done = step + 1
        if done % TOLD_EVERY == 0:
            log(f"{name}: step {done} loss {np.mean(losses[-TOLD_EVERY:]):.3f} ({time.perf_counter() - began:.0f} s)")
        if done % KEPT_EVERY == 0:
            log(f"{name}: {keep(SCORED)}")
    return losses


def make_optimizers(model: nn.Module, recipe: dict) -> list[torch.optim.Optimizer]:
    """AdamW, without decay for vectors; Muon in its place for the matrices of the image tower if the recipe has it."""
    trained = {key: p for key, p in model.named_parameters() if p.requires_grad}
    matrices = [p for key, p in trained.items() if recipe["muon"] and p.ndim == 2 and key.startswith("visual")]
    others = [p for p in trained.values() if not any(p is matrix for matrix in matrices)]
    decayed, plain = [p for p in others if p.ndim > 1], [p for p in others if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
    optimizers = [torch.optim.AdamW(groups, lr=recipe["lr"], betas=(0.9, 0.98))]
    if matrices:
        optimizers.append(torch.optim.Muon(matrices, lr=recipe["muon"], weight_decay=0.05))
    return optimizers


def write_record(out: Path, record: dict, losses: Sequence[float], accuracies: dict[str, float]) -> dict:
    """Writes the record of the weights ``out``, which are there, beside them; returns it with the loss of every
    step."""
    record = record | {
        "weights": file_digest(out),
        "steps": len(losses),
        "torch": torch.__version__,
        "loss": {"first": float(np.mean(losses[:5])), "last": float(np.mean(losses[-20:]))},
        "accuracy": accuracies,
    }
    out.with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    return record | {"losses": list(losses)}
