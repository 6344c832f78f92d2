"""What a finished run leaves: ``metrics.json``, validated when it is written and when it is read."""

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, NonNegativeInt, PositiveInt, ValidationError, model_validator

from papertables.base.errors import UserError, reason
from papertables.base.seals import Broken, unsealed_json
from papertables.results.consistency import problems, whole_hits
from papertables.specs.config import Selection
from papertables.specs.spec import (
    EVALUATE_EVERY,
    ClassSet,
    Combination,
    Model,
    Numerics,
    RunSpec,
    Target,
    digest,
    tested,
)

CHANGED = "-dirty"  # ends a commit whose code was changed
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
NonNegative = Annotated[FiniteFloat, Field(ge=0)]
Positive = Annotated[FiniteFloat, Field(gt=0)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]+$")]
Commit = Annotated[str, Field(pattern=f"^[0-9a-f]{{7,64}}({CHANGED})?$")]


class Fingerprint(Model):
    """What was unknown when planning: contents and code. A run is valid while its fingerprint is.

    data, backbone, attributes: SHA-256 of contents. method: of the syntax trees of the method's own modules.
    numerics: the version that the shared loop and towers carry (``papertables.NUMERICS``). reading: as what the
    backbone's tensors were read (``Backbone.reading``); None in records from before it was kept, and while nothing of
    it has changed since. passes: ``fast`` where the mapping passes that fed a training were. teacher: of the
    run that a student learned from, its fingerprint and what it learned.
    """

    data: Digest
    backbone: Digest
    attributes: Digest | None
    method: Digest
    numerics: PositiveInt
    reading: str | None = None
    passes: Literal["fast"] | None = None
    teacher: Digest | None = None

    @property
    def digest(self) -> str:
        """Ten hexadecimal digits over it."""
        return digest(self.model_dump(exclude_defaults=True))


class Epoch(Model):
    """One line of the curve. Accuracies in percent; the test accuracy is None in epochs that are not evaluated.

    nonfinite_steps: those whose loss was not finite, of a run that goes on after them. train_loss: the mean over the
    images of the others; None where there are none.
    """

    epoch: PositiveInt
    lr: NonNegative
    train_loss: NonNegative | None
    nonfinite_steps: NonNegativeInt = 0
    train_accuracy: Percent
    test_accuracy: Percent | None = None


class Score(Model):
    """Accuracy in percent after an epoch (0: nothing was trained)."""

    epoch: NonNegativeInt
    accuracy: Percent


class Evaluation(Model):
    """A run scored on one data set and class set. attributes: that its prompts name there in place of its own. data:
    the contents of a data set that it was not trained on. numerics: how its images were computed."""

    dataset: str
    classes: ClassSet = "all"
    attributes: Combination = ()
    data: Digest | None = None
    images: PositiveInt
    best: Score | None = None  # highest test accuracy over epochs; the first such epoch
    last: Score | None = None
    numerics: Numerics = "published"

    @property
    def target(self) -> Target:
        return Target(self.dataset, self.classes, self.attributes)

    def serves(self, asked: Numerics) -> bool:
        """Whether it is as exact as is asked for: published numbers serve for fast ones."""
        return asked == "fast" or self.numerics == "published"

    def score(self, selection: Selection) -> Score | None:
        return self.best if selection == "best" else self.last

    @model_validator(mode="after")
    def _of_whole_images(self):
        for score in filter(None, (self.best, self.last)):
            if not whole_hits(score.accuracy, self.images):
                raise ValueError(f"no number of {self.images} images gives {score.accuracy} %")
        return self


class Divergence(Model):
    """Where a run ended since its loss was not finite; both count from 1, the step within the epoch."""

    epoch: PositiveInt
    step: PositiveInt


class RunCost(Model):
    """Cost of the run's share of its group: seconds are the group's wall time, images those that this run sent
    through the image tower, trained and evaluated. The peak of memory is the group's on a GPU; on a CPU the process's,
    whatever that did before, such as features of test images that it was the first to read."""

    seconds: Positive
    images: PositiveInt
    images_per_second: Positive
    peak_memory_mb: NonNegative
    group_size: PositiveInt  # runs trained together
    device: str


class Computed(Model):
    """How it was computed, whatever the spec asks for: a CPU knows no half precision. tests: of the curve."""

    precision: Literal["fp16", "bf16", "fp32"]
    device: Literal["cpu", "cuda"]
    tests: Numerics = "published"


class Metrics(Model):
    """One run. computed: None in files written before it was recorded. git_commit: of the project's own repository,
    with ``CHANGED`` behind it where its code differed; None where there is none."""

    run: str
    spec: RunSpec
    fingerprint: Fingerprint
    outcome: Literal["finished", "diverged"]
    diverged: Divergence | None = None
    curve: list[Epoch]
    evaluations: list[Evaluation]
    parameters: NonNegativeInt  # trained values
    cost: RunCost
    computed: Computed | None = None
    versions: dict[str, str]
    git_commit: Commit | None

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

    def has_tests(self, every: int) -> bool:
        """Whether it was tested after every epoch that is asked for (``tested``), up to where it ended."""
        due = tested(every, self.spec.training.epochs) if self.spec.training else ()
        return all(self.curve[epoch - 1].test_accuracy is not None for epoch in due if epoch <= len(self.curve))

    @property
    def has_best(self) -> bool:
        """Whether any epoch was evaluated before it ended."""
        return all(each.best for each in self.evaluations)

    def scored(self, target: Target) -> Evaluation | None:
        return next((each for each in self.evaluations if each.target == target), None)

    @model_validator(mode="before")
    @classmethod
    def _as_now(cls, values: object) -> object:
        """A record from when a spec told how often its run was tested, under the id that the run has now."""
        spec = values.get("spec") if isinstance(values, dict) else None
        training = spec.get("training") if isinstance(spec, dict) else None
        if not isinstance(training, dict) or EVALUATE_EVERY not in training:
            return values
        spec = spec | {"training": {key: value for key, value in training.items() if key != EVALUATE_EVERY}}
        try:
            run = RunSpec.model_validate(spec)
        except ValidationError:
            return values | {"spec": spec}  # whose problem is told below
        known = values.get("run") == run.former_id(training[EVALUATE_EVERY])
        return values | {"spec": spec} | ({"run": run.id} if known else {})

    @model_validator(mode="after")
    def _consistent(self):
        for problem in problems(self):
            raise ValueError(problem)
        return self


def read_record(text: str, where: str) -> Metrics:
    """Raises UserError, which begins with ``where``, for a text that is no record or one that contradicts itself."""
    try:
        return Metrics.model_validate_json(unsealed_json(text.encode()))
    except Broken as error:
        raise UserError(f"{where}: no valid record of a run ({error})") from None
    except ValidationError as error:
        raise UserError(f"{where}: no valid record of a run ({reason(error)})") from None
