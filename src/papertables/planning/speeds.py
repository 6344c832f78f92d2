"""How fast machines compute, until it is measured."""

from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Protocol

from pydantic import Field

from papertables.planning.work import Kind, Work
from papertables.specs.config import Gpu
from papertables.specs.spec import Model, Rate
from papertables.specs.validation import entries

RELATIVE = {  # to the architecture whose share is stated, on tensor cores (speeds.yaml)
    "resnet18": 1.42,
    "RN50": 1.24,
    "RN101": 1.37,
    "ViT-B-32": 0.83,
    "ViT-B-16": 0.90,
    "vit_base_patch32_384": 1.03,
    "vit_large_patch16_384": 1.2,
}
CPU_CORE = 75e9  # FLOP/s in fp32, seen with ResNet-18 and ViT-B/16 on a server's core of 2023
Arithmetic = Literal["fp32", "tf32", "half"]
Share = Annotated[float, Field(gt=0, le=1)]


class Machine(Protocol):
    def flops(self, work: Work) -> float:
        """A second."""


class Card(Model):
    """A GPU. peak: TFLOP/s. share: the part of it that is reached, by kind of tower. Both by how it computes; where
    convolutions have a share in ``tf32``, fp32 means that."""

    peak: dict[Arithmetic, Rate]
    share: dict[Kind, dict[Arithmetic, Share]]

    def flops(self, work: Work) -> float:
        reached = self.share[work.kind]
        how = "tf32" if work.precision == "fp32" and "tf32" in reached else work.precision
        beside = 1.0 if how == "fp32" else RELATIVE.get(work.architecture, 1.0)
        return 1e12 * self.peak[how] * reached[how] * beside


class Cores(Model):
    """Of a CPU, which knows no half precision."""

    count: int

    def flops(self, work: Work) -> float:
        return CPU_CORE * self.count


def seconds(machine: Machine, work: Work) -> float:
    """That it takes."""
    return work.flops / machine.flops(work)


@cache
def cards() -> dict[Gpu, Card]:
    return entries(Card, Path(__file__).with_name("speeds.yaml"))
