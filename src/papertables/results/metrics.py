"""What a finished run leaves: ``metrics.json``, validated when it is written and when it is read."""

from typing import Literal

from pydantic import Field, model_validator

from papertables.config import Selection
from papertables.spec import ClassSet, Combination, Model, RunSpec, Target

Percent = float


class Fingerprint(Model):
    """What was unknown when planning: contents and code. A run is valid while its fingerprint is.

    data, backbone, attributes: SHA-256 of contents. method: of the syntax trees of the method's own modules.
    numerics: the version that the shared loop and towers carry (``papertables.NUMERICS``). reading: as what the
    backbone's tensors were read (``Backbone.reading``); None in records from before it was kept, and while nothing of
    it has changed since.
    """

    data: str
    backbone: str
    attributes: str | None
    method: str
    numerics: int
    reading: str | None = None


class Epoch(Model):
    """One line of the curve. Accuracies in percent; the test accuracy is None in epochs that are not evaluated.

    nonfinite_steps: those whose loss was not finite, of a run that goes on after them. train_loss: the mean over the
    images of the others; None where there are none.
    """

    epoch: int = Field(ge=1)
    lr: float
    train_loss: float | None
    nonfinite_steps: int = Field(default=0, ge=0)
    train_accuracy: Percent = Field(ge=0, le=100)
    test_accuracy: Percent | None = Field(default=None, ge=0, le=100)


class Score(Model):
    """Accuracy in percent after an epoch (0: nothing was trained)."""

    epoch: int = Field(ge=0)
    accuracy: Percent = Field(ge=0, le=100)


class Evaluation(Model):
    """A run scored on one data set and class set. attributes: that its prompts name there in place of its own. data:
    the contents of a data set that it was not trained on."""

    dataset: str
    classes: ClassSet = "all"
    attributes: Combination = ()
    data: str | None = None
    images: int
    best: Score | None = None  # highest test accuracy over epochs; the first such epoch
    last: Score | None = None

    @property
    def target(self) -> Target:
        return Target(self.dataset, self.classes, self.attributes)

    def score(self, selection: Selection) -> Score | None:
        return self.best if selection == "best" else self.last


class Divergence(Model):
    """Where a run ended since its loss was not finite; both count from 1, the step within the epoch."""

    epoch: int
    step: int


class RunCost(Model):
    """Cost of the run's share of its group: seconds are the group's wall time, images those that this run sent
    through the image tower, trained and evaluated."""

    seconds: float
    images: int
    images_per_second: float
    peak_memory_mb: float
    group_size: int  # runs trained together
    device: str


class Computed(Model):
    """How it was computed, whatever the spec asks for: a CPU knows no half precision."""

    precision: Literal["fp16", "bf16", "fp32"]
    device: Literal["cpu", "cuda"]


class Metrics(Model):
    """One run. computed: None in files written before it was recorded."""

    run: str
    spec: RunSpec
    fingerprint: Fingerprint
    outcome: Literal["finished", "diverged"]
    diverged: Divergence | None = None
    curve: list[Epoch]
    evaluations: list[Evaluation]
    parameters: int  # trained values
    cost: RunCost
    computed: Computed | None = None
    versions: dict[str, str]
    git_commit: str | None

    @property
    def nonfinite(self) -> dict[int, int]:
        """By epoch, the steps without a finite loss after which it went on."""
        return {each.epoch: each.nonfinite_steps for each in self.curve if each.nonfinite_steps}

    def is_of(self, spec: RunSpec) -> bool:
        """Whether it is the record of a planned run: of the same id and, if a loss was not finite, continued or ended
        as that run would have been."""
        if self.run != spec.id:
            return False
        always_finite = not self.diverged and not self.nonfinite
        return always_finite or self.spec.skips == spec.skips

    def shows(self, spec: RunSpec, selection: Selection) -> bool:
        """Whether a planned run has accuracies to show: one that diverged only those of a best epoch that it keeps."""
        keeps = selection == "best" and spec.fidelity.on_nonfinite == "keep_best"
        return self.outcome == "finished" or (keeps and self.has_best)

    @property
    def has_best(self) -> bool:
        """Whether any epoch was evaluated before it ended."""
        return all(each.best for each in self.evaluations)

    def scored(self, target: Target) -> Evaluation | None:
        return next((each for each in self.evaluations if each.target == target), None)

    @model_validator(mode="after")
    def _consistent(self):
        if self.run != self.spec.id:
            raise ValueError(f"run is {self.run}, but its spec says {self.spec.id}")
        if (self.outcome == "diverged") != (self.diverged is not None):
            raise ValueError("outcome 'diverged' and the place of the divergence go together")
        if self.outcome == "finished" and not all(e.best and e.last for e in self.evaluations):
            raise ValueError("a finished run has a best and a last score in every evaluation")
        return self
