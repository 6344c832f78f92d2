"""A step of every method of the mini scale in half precision, forward and backward, as a CPU autocasts it."""

import math

import pytest
import torch
from benchmarks.gpu_check import CLASSES, kinds, steps, trainer

from papertables.training.trial import random_tower, trial

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
BATCH = 4
NEAR = {"fp16": 0.95, "bf16": 0.8}  # cosine of the gradients; bf16 has three bits less


def first_step(spec, precision: str) -> tuple[float, torch.Tensor]:
    made = trial(spec, random_tower(spec.backbone), CLASSES)
    (loss,), gradient = steps(trainer(made, CPU, precision, BATCH), made, 1, BATCH)
    return loss, gradient


@pytest.mark.parametrize("precision", NEAR)
def test_a_step_is_near_that_in_fp32(precision, monkeypatch):
    specs = kinds("mini")
    exact = [first_step(spec, "fp32") for spec in specs]
    monkeypatch.setattr("papertables.training.loop.computed_precision", lambda device, asked: asked)
    for spec, (expected, gradient) in zip(specs, exact, strict=True):
        loss, near = first_step(spec, precision)
        assert math.isfinite(loss) and loss == pytest.approx(expected, rel=0.05), spec.id
        assert torch.nn.functional.cosine_similarity(near, gradient, dim=0) > NEAR[precision], spec.id
