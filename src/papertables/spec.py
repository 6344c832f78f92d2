"""What a run is: everything about it that is known when planning."""

import hashlib
import json
import re
from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue, PositiveInt, model_validator

ProtocolName = Literal["few_shot", "full", "base_to_new", "cross_dataset", "domain_generalization"]


class Model(BaseModel):
    """A frozen record in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Optimizer(Model):
    name: Literal["sgd", "adam"]
    lr: float
    momentum: float = 0.0
    weight_decay: float = 0.0


class Schedule(Model):
    """Learning rate over time. Milestones are fractions of the epochs, floored to whole epochs."""

    name: Literal["cosine_step", "cosine_epoch", "multistep", "constant"]
    milestones: tuple[float, ...] = ()
    gamma: float = 0.1
    warmup_epochs: int = 0
    warmup_lr: float = 0.0

    @model_validator(mode="after")
    def _warmup_counts_epochs(self):
        if self.warmup_epochs and self.name != "cosine_epoch":
            raise ValueError(
                "warmup_epochs needs schedule cosine_epoch: only that one is defined per epoch with a warm-up"
            )
        return self


class Training(Model):
    """How a learner is trained. ``batch_size_one_shot`` replaces the batch size when shots = 1."""

    epochs: PositiveInt
    batch_size: PositiveInt
    batch_size_one_shot: PositiveInt | None = None
    optimizer: Optimizer
    schedule: Schedule
    precision: Literal["fp16", "bf16", "fp32"] = "fp16"  # of the autocast on a GPU; a CPU computes in fp32
    evaluate_every: PositiveInt = 1  # epochs
    drop_last: bool = False

    def batch_size_for(self, shots: int | None) -> int:
        return self.batch_size_one_shot if shots == 1 and self.batch_size_one_shot else self.batch_size


class Fidelity(Model):
    """Switches between what the released code does and sound behaviour; the evidence is in the protocol.

    few_shot_draw: ``shared`` gives every seed the images that ``shared_seed`` draws; ``per_seed`` each seed its own.
    attribute_stream: ``global`` samples sentences from Python's stream as the released code leaves it (after the
        few-shot draw for ``shared_seed``, fresh for the seeds that find the draw cached); ``private`` from a
        stream of their own.
    attribute_sampling: ``replacement`` draws with replacement as soon as a class has no more than m sentences
        (duplicates, even when exactly m are there); ``distinct`` repeats a sentence only if fewer than m exist.
    """

    few_shot_draw: Literal["shared", "per_seed"] = "shared"
    shared_seed: int = 1
    attribute_stream: Literal["global", "private"] = "global"
    attribute_sampling: Literal["replacement", "distinct"] = "replacement"


class RunSpec(Model):
    """One training (or one scoring, where ``training`` is None) with one seed.

    ``seed`` is None where nothing is drawn. ``image_size`` is the side in pixels of the images a method is given,
    ``options`` are the method's own, already in pixels of the backbone's input.
    """

    method: str
    options: dict[str, JsonValue] = {}
    backbone: str
    dataset: str
    protocol: ProtocolName
    image_size: PositiveInt
    shots: PositiveInt | None = None
    seed: int | None = None
    attributes: str | None = None
    training: Training | None = None
    fidelity: Fidelity

    @cached_property
    def digest(self) -> str:
        """Ten hexadecimal digits over everything in the spec."""
        return digest(self.model_dump(mode="json"))

    @cached_property
    def id(self) -> str:
        """Readable and unique: ``dataset/backbone/method-…-seed1-<digest>``."""
        parts = [self.method]
        parts += [f"{key}{value}" for key, value in sorted(self.options.items()) if value is not None]
        parts += [f"{self.shots}shot"] if self.shots else []
        parts += [f"seed{self.seed}"] if self.seed is not None else []
        name = re.sub(r"[^A-Za-z0-9.+-]+", "_", "-".join(parts))[:80]
        return f"{self.dataset}/{self.backbone}/{name}-{self.digest}"


def digest(value: JsonValue) -> str:
    """Ten hexadecimal digits of the SHA-256 of a JSON value, independent of key order."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:10]
