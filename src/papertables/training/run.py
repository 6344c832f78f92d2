"""One run in training: its learner with all that changes, and its random streams."""

import hashlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from papertables.methods.learner import BaseLearner
from papertables.methods.mapping_heads import MappingHead
from papertables.results.metrics import Divergence, Epoch, Score
from papertables.specs.spec import Training
from papertables.training.mapping_history import Mappings
from papertables.training.optimization import finite_gradients, learning_rate, make_optimizers

LOGIT_SCALE = (0.0, 4.6052)  # what the released code clamps to after every step
State = dict[str, Tensor]


@dataclass(eq=False)
class Run:
    """One run with all that is its own. ``rows``: of the train cache, what it trains on. The scores and
    states of ``best`` (first epoch of the highest test accuracy) and ``last`` are those after an
    evaluation. ``averaged``: the sum so far of a learner that is a mean over epochs. ``mappings``: of a learner that
    maps labels, what its head summed up at every new mapping. ``names``: of the classes it is trained on, for a learner
    of prompts. ``skips``: goes on after a loss that is not finite."""

    id: str
    learner: BaseLearner
    training: Training
    seed: int
    rows: np.ndarray
    curve: list[Epoch] = field(default_factory=list)
    best: Score | None = None
    last: Score | None = None
    best_state: State = field(default_factory=dict)
    last_state: State = field(default_factory=dict)
    averaged: State = field(default_factory=dict)
    diverged: Divergence | None = None
    images: int = 0  # through the tower
    mapping_pass: Literal["training", "evaluation"] = "evaluation"  # how the learner runs in the first one
    mappings: Mappings = field(default_factory=Mappings)
    names: tuple[str, ...] = ()
    skips: bool = False

    def __post_init__(self):
        self.optimizers = make_optimizers(self.learner, self.training)
        self.order = random_stream("order", self.seed)
        self.augmentation = random_stream("augmentation", self.seed)
        self.to(torch.device("cpu"))

    def to(self, device: torch.device) -> None:
        """Moves the learner; to be called before training."""
        self.learner.to(device)
        scaled = self.training.grad_scaler and self.training.precision == "fp16" and device.type == "cuda"
        self.scaler = torch.amp.GradScaler(device.type, enabled=scaled)
        named = (*self.learner.named_parameters(), *self.learner.named_buffers())
        self.scales = [value for name, value in named if name.endswith("logit_scale")]

    @property
    def head(self) -> MappingHead | None:
        """The learner's head if it maps labels by statistics."""
        return mapping_head(self.learner)

    def update(self, lrs: Sequence[float]) -> None:
        """One step of every optimiser, each with its own rate, on gradients that are there. A scaler omits it where one
        of that optimiser's gradients is not finite; so does a run that ``skips`` without a scaler."""
        for (optimizer, _), lr in zip(self.optimizers, lrs, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = lr
            if self.scaler.is_enabled() or not self.skips or finite_gradients(optimizer):
                self.scaler.step(optimizer)
        self.scaler.update()
        with torch.no_grad():
            for scale in self.scales:
                scale.clamp_(*LOGIT_SCALE)

    def lrs(self, epoch: int, step: int, steps: int) -> list[float]:
        """The rate of each optimiser at a step of an epoch, both from 0."""
        return [learning_rate(training, epoch, step, steps) for _, training in self.optimizers]

    @torch.no_grad()
    def average(self, epoch: int) -> None:
        """After an epoch (from 1): adds what is learned to the mean over epochs of a learner that is one, which takes
        its place after the last."""
        weight = self.learner.epoch_weight(epoch, self.training.epochs)
        if weight is None:
            return
        now = {name: weight * value for name, value in self.learner.named_parameters()}
        self.averaged = {name: self.averaged[name] + own if self.averaged else own for name, own in now.items()}
        if epoch == self.training.epochs:
            for name, value in self.learner.named_parameters():
                value.copy_(self.averaged[name])

    def keep_mapping(self, epoch: int, before: Tensor) -> None:
        """Keeps what the head's new mapping is, which was ``before``."""
        with self._for_figures():
            self.mappings.add(epoch, before, self.head)

    def keep_program(self, epoch: int) -> None:
        """Now and then keeps what a learner that maps labels adds to images."""
        program = dict(self.learner.pixels.named_parameters()).get("program")
        if self.mappings.epochs and program is not None:
            with self._for_figures():
                self.mappings.snapshot(epoch, self.training.epochs, program)

    def kept_mappings(self) -> bytes | None:
        """The file of what was kept, if anything was."""
        with self._for_figures():
            return self.mappings.file() if self.mappings.epochs else None

    @contextmanager
    def _for_figures(self) -> Iterator[None]:
        """What figures alone show costs no run: where keeping it fails, the log says so, and none of it is kept."""
        try:
            yield
        except Exception as error:
            print(f"{self.id}: its mappings are lost to figures: {type(error).__name__}: {error}", file=sys.stderr)
            self.mappings = Mappings(lost=True)

    def score(self, epoch: int, accuracy: float) -> None:
        self.last, self.last_state = Score(epoch=epoch, accuracy=accuracy), snapshot(self.learner)
        if self.best is None or accuracy > self.best.accuracy:
            self.best, self.best_state = self.last, self.last_state

    def state(self) -> dict:
        """Everything that changes, as tensors and plain values."""
        return {
            "learner": self.learner.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer, _ in self.optimizers],
            "scaler": self.scaler.state_dict(),
            "order": self.order.get_state(),
            "augmentation": self.augmentation.get_state(),
            "curve": [epoch.model_dump() for epoch in self.curve],
            "best": self.best and self.best.model_dump(),
            "last": self.last and self.last.model_dump(),
            "best_state": self.best_state,
            "last_state": self.last_state,
            "averaged": self.averaged,
            "diverged": self.diverged and self.diverged.model_dump(),
            "images": self.images,
            "mappings": self.mappings.state(),
        }

    def restore(self, state: dict) -> None:
        self.learner.load_state_dict(state["learner"])
        for (optimizer, _), own in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(own)
        if state["scaler"]:  # empty where none was used
            self.scaler.load_state_dict(state["scaler"])
        self.order.set_state(state["order"])
        self.augmentation.set_state(state["augmentation"])
        self.curve = [Epoch(**epoch) for epoch in state["curve"]]
        self.best = state["best"] and Score(**state["best"])
        self.last = state["last"] and Score(**state["last"])
        self.best_state, self.last_state = state["best_state"], state["last_state"]
        device = next(iter(self.learner.parameters())).device
        self.averaged = {name: value.to(device) for name, value in state["averaged"].items()}
        self.diverged = state["diverged"] and Divergence(**state["diverged"])
        self.images = state["images"]
        self.mappings = Mappings(**state["mappings"])


def mapping_head(learner: BaseLearner) -> MappingHead | None:
    """The part of a learner that maps labels by statistics, where it does."""
    return next((each for each in learner.children() if isinstance(each, MappingHead)), None)


def random_stream(name: str, seed: int) -> torch.Generator:
    """A generator of its own for every use and seed."""
    number = int.from_bytes(hashlib.sha256(f"{name} {seed}".encode()).digest()[:8], "big")
    return torch.Generator().manual_seed(number)


def trained_values(learner: nn.Module) -> int:
    """Values that training can change: a module's ``trained_values`` if it says so, else its parameters."""
    own = (sum(p.numel() for p in module.parameters(recurse=False)) for module in learner.modules())
    return sum(getattr(module, "trained_values", n) for module, n in zip(learner.modules(), own, strict=True))


def snapshot(learner: nn.Module) -> State:
    return {name: value.detach().cpu().clone() for name, value in learner.state_dict().items()}
