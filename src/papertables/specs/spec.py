"""What a run is, and what a search is: everything about them that is known when planning."""

import hashlib
import json
import re
from collections.abc import Hashable
from functools import cached_property
from typing import Annotated, Literal, NamedTuple

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    NonNegativeInt,
    PositiveInt,
    field_validator,
    model_validator,
)

ProtocolName = Literal["few_shot", "full", "base_to_new", "cross_dataset", "domain_generalization"]
FEW_SHOT = ("few_shot", "base_to_new", "cross_dataset")  # trained on some images of each class
EVALUATE_EVERY = "evaluate_every"  # of a former spec's training
FORMER_TESTS = (1, 2, 5, 1000)  # epochs between tests that it said, as papers and scales had them
METRICS, LEARNER = "metrics.json", "learner.safetensors"  # of a run, in its folder of the store
ClassSet = Literal["all", "base", "new"]
Numerics = Literal["published", "fast"]  # of tests and mapping passes: in fp32, or where a GPU can in half precision
ShownPart = Literal["test", "train"]  # of train a random sample
OnNonfinite = Literal["stop", "keep_best", "skip"]
Combination = tuple[str, ...]  # of attributes


def no_switch(value: object) -> object:
    """The value, unless it is true or false, which Python takes for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("it must be a number")
    return value


Number = Annotated[float, BeforeValidator(no_switch), Field(allow_inf_nan=False)]
Rate = Annotated[Number, Field(gt=0)]
NotNegative = Annotated[Number, Field(ge=0)]
Whole = Annotated[PositiveInt, BeforeValidator(no_switch)]


class Model(BaseModel):
    """A frozen record in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Optimizer(Model):
    name: Literal["sgd", "adam"]
    lr: Rate
    momentum: Annotated[Number, Field(ge=0, lt=1)] = 0.0
    weight_decay: NotNegative = 0.0


class Schedule(Model):
    """Learning rate over time. Milestones are fractions of the epochs, floored to whole epochs."""

    name: Literal["cosine_step", "cosine_epoch", "multistep", "constant"]
    milestones: tuple[Annotated[Number, Field(gt=0, lt=1)], ...] = ()
    gamma: Rate = 0.1
    warmup_epochs: Annotated[NonNegativeInt, BeforeValidator(no_switch)] = 0
    warmup_lr: NotNegative = 0.0

    @field_validator("milestones")
    @classmethod
    def _milestones_rise(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if list(value) != sorted(set(value)):
            raise ValueError("each must be larger than the one before")
        return value

    @model_validator(mode="after")
    def _multistep_has_milestones(self):
        if self.name == "multistep" and not self.milestones:
            raise ValueError("schedule multistep needs milestones")
        return self

    @model_validator(mode="after")
    def _warmup_counts_epochs(self):
        if self.warmup_epochs and self.name != "cosine_epoch":
            raise ValueError(
                "warmup_epochs needs schedule cosine_epoch: only that one is defined per epoch with a warm-up"
            )
        return self


class Part(Model):
    """Some parameters of a learner that are trained by rules of their own."""

    optimizer: Optimizer
    schedule: Schedule


class Images(Model):
    """How images become what a method is given.

    fit: ``short`` resizes the short side and crops (bicubic, as CLIP), ``square`` resizes to a square (bilinear),
    ``original`` crops training images as they are and treats test images as ``short`` does. augmentation: of training
    images, ``resized_crop`` and ``crop_flip`` mirror half of them; test images and ``none`` are cropped at the centre.
    margin: pixels that a training image is larger than its random crop. first: the side of the square to which
    ``square`` images are resized before all else; None: nothing comes before.
    """

    fit: Literal["short", "square", "original"] = "short"
    augmentation: Literal["resized_crop", "crop_flip", "none"] = "resized_crop"
    margin: Annotated[NonNegativeInt, BeforeValidator(no_switch)] = 0
    first: Whole | None = None

    @property
    def cache_fit(self) -> str:
        """How what is cached is resized, where it is not cropped: ``square128``, for one, as ``square`` from 128 px."""
        return f"{self.fit}{self.first or ''}"

    @model_validator(mode="after")
    def _only_squares_are_resized_before(self):
        if self.first and self.fit != "square":
            raise ValueError(f"first is of fit square, this is fit {self.fit}")
        return self

    @model_validator(mode="after")
    def _originals_are_cropped_and_resized(self):
        if self.fit == "original" and (self.augmentation != "resized_crop" or self.margin):
            raise ValueError("fit original needs augmentation resized_crop and no margin: originals differ in size")
        return self


class Training(Model):
    """How a learner is trained. ``batch_size_one_shot`` replaces the batch size when shots = 1.

    parts: by the beginning of parameter names (``pixels.network``), what has its own optimiser and schedule.
    grad_scaler: whether fp16 losses are scaled on a GPU.
    """

    epochs: Whole
    batch_size: Whole
    batch_size_one_shot: Whole | None = None
    optimizer: Optimizer
    schedule: Schedule
    precision: Literal["fp16", "bf16", "fp32"] = "fp16"  # of the autocast on a GPU; a CPU computes in fp32
    drop_last: bool = False
    parts: dict[str, Part] = {}
    grad_scaler: bool = False

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
    first_mapping_pass: whether the pass over the training set before the first epoch runs the learner as in
        ``training`` (batch norm takes and updates statistics of batches) or as in ``evaluation``.
    attribute_tokens: ``first`` lays out a prompt as if every attribute word were one token, so that of a longer word
        the first piece stays and what follows is shifted; ``all`` gives every word its own tokens.
    deep_start: where deep prompts replace class context behind attributes: as if every attribute had as many context
        tokens as the class (``assumed``), or where that context is (``exact``).
    kept_epoch: of a student, which epoch is shown where nobody asks for one: the ``best`` on the test set of its own
        test, whose learner the released code keeps, or the ``last``.
    on_nonfinite: what a loss that is not finite does to a run: ``stop`` and ``keep_best`` end it, and the latter shows
        the best epoch before where best epochs are shown; ``skip`` leaves out each optimiser's step whose gradients are
        not finite, and goes on.
    """

    few_shot_draw: Literal["shared", "per_seed"] = "shared"
    shared_seed: int = 1
    attribute_stream: Literal["global", "private"] = "global"
    attribute_sampling: Literal["replacement", "distinct"] = "replacement"
    first_mapping_pass: Literal["training", "evaluation"] = "evaluation"
    attribute_tokens: Literal["first", "all"] = "all"
    deep_start: Literal["assumed", "exact"] = "exact"
    kept_epoch: Literal["best", "last"] = "last"
    on_nonfinite: OnNonfinite = "stop"


class Target(NamedTuple):
    """What a run is scored on: a data set and which of its classes. attributes: those that its prompts name there in
    place of the ones it was trained with; none: its own."""

    dataset: str
    classes: ClassSet
    attributes: Combination = ()


CachePart = Literal["train", "train_whole", "val", "test", "train_sample"]


class CacheKey(NamedTuple):
    """A cache of images: ``short`` (short side resized), ``crop`` (the same, cropped) or ``square``, with its side
    (``square128``: from a square of 128 px); or ``original``, of side 0, which all backbones share. ``train``: what is
    drawn of the train part, where shots are; ``train_whole``: all of it; ``train_sample``: some random images of it."""

    part: CachePart
    fit: str
    size: int


TRAIN_ORIGINALS = CacheKey("train", "original", 0)
TRAIN_SAMPLE = 5000  # images, at most
SHOWN_CACHES = {"test": "test", "train": "train_sample"}  # parts of caches


class RunSpec(Model):
    """One training (or one scoring, where ``training`` is None) with one seed.

    ``seed`` is None where nothing is drawn. ``image_size`` is the side in pixels of the images a method is given,
    ``options`` are the method's own, already in pixels of the backbone's input. ``fraction`` of the training images of
    each class is trained on. ``teacher``: the run that a student learns from, on all training images of all classes.
    """

    method: str
    options: dict[str, JsonValue] = {}
    backbone: str
    dataset: str
    protocol: ProtocolName
    image_size: PositiveInt
    images: Images = Images()
    shots: Whole | None = None
    fraction: float | None = Field(None, gt=0, lt=1)
    seed: int | None = None
    attributes: str | None = None
    training: Training | None = None
    fidelity: Fidelity
    teacher: "RunSpec | None" = None

    @property
    def leaves(self) -> tuple[str, ...]:
        """The files that it leaves in its folder of the store, whatever its method."""
        return (METRICS, LEARNER) if self.training else (METRICS,)

    @property
    def trained_classes(self) -> ClassSet:
        """The first half of the classes in base-to-new, else all; a student sees all of them, without labels."""
        return "all" if self.teacher else self.target.classes

    @property
    def target(self) -> Target:
        """What is tested while it trains."""
        return Target(self.dataset, "base" if self.protocol == "base_to_new" else "all")

    @property
    def train_cache(self) -> "CacheKey":
        """The cache of the images it trains on."""
        part = "train_whole" if self.teacher else "train"
        if self.images.fit == "original":
            return TRAIN_ORIGINALS._replace(part=part)
        plain = self.images.augmentation == "none"
        fit = "crop" if self.images.fit == "short" and plain else self.images.cache_fit
        return CacheKey(part, fit, self.image_size + self.images.margin)

    @property
    def test_cache(self) -> "CacheKey":
        """The cache of the images it is evaluated on."""
        return CacheKey("test", self.images.cache_fit if self.images.fit == "square" else "crop", self.image_size)

    def shown_cache(self, part: ShownPart) -> "CacheKey":
        """The cache of the images that it is shown on, as it is evaluated."""
        return self.test_cache._replace(part=SHOWN_CACHES[part])

    @property
    def skips(self) -> bool:
        """Whether it goes on after a loss that is not finite."""
        return self.fidelity.on_nonfinite == "skip"

    @property
    def _told(self) -> dict[str, JsonValue]:
        """Everything in the spec but ``on_nonfinite``, under each of whose values a run has the same numbers while its
        losses are finite, ``kept_epoch``, which chooses among its numbers, and ``images.first`` and ``teacher`` where
        there is none; a teacher by its id."""
        left_out = {"fidelity": {"on_nonfinite", "kept_epoch"}, "teacher": True}
        left_out |= {} if self.images.first else {"images": {"first"}}
        teacher = {"teacher": self.teacher.id} if self.teacher else {}
        return self.model_dump(mode="json", exclude=left_out) | teacher

    @cached_property
    def digest(self) -> str:
        """Ten hexadecimal digits over what it is."""
        return digest(self._told)

    def former_id(self, every: int) -> str:
        """The id of a training from when it told how often it was tested, which no longer stands in a spec."""
        told = self._told
        return self._named(digest(told | {"training": told["training"] | {EVALUATE_EVERY: every}}))

    @cached_property
    def id(self) -> str:
        """Unique and readable, ``dataset/backbone/method-…-seed1-<digest>``: options are cut short, not the seed."""
        return self._named(self.digest)

    def _named(self, digits: str) -> str:
        method = [self.method]
        method += [f"{key}{value}" for key, value in sorted(self.options.items()) if value not in (None, "", [])]
        drawn = [f"{self.shots}shot"] if self.shots else []
        drawn += [f"{self.fraction:g}of1"] if self.fraction else []
        drawn += [f"seed{self.seed}"] if self.seed is not None else []
        options = re.sub(r"[^A-Za-z0-9.+-]+", "_", "-".join(method))[:64]
        name = "-".join([options, *drawn, digits])
        return f"{self.dataset}/{self.backbone}/{name}"


class SearchSpec(Model):
    """One search, all that is known when planning. Seeds draw the few-shot images and the first weights.

    bases: what is searched; of a ``source`` that a language model names them for, they are known once it has answered.
    sizes: the released file keeps ``three_or_more`` attributes together, the published answers need ``any``.
    validation: the released loop trains the weights on the ``first_batch`` of validation images alone; ``cycle`` goes
    through all of them. validation_images: of a data set without a validation part, None where it has one: the test
    images of base classes in their order, as many as one batch holds (``test_first``, the released code), some drawn
    of every class (``test_sampled``), or the second half of the shots, which then are not trained on
    (``half_of_shots``, the paper's text).
    """

    dataset: str
    backbone: str
    seed: int
    bases: Combination = ()
    source: str | None = None
    shots: Whole = 16
    epochs: Whole = 40
    context: Whole = 4  # tokens, of the class and of each attribute
    batch_size: Whole = 32
    validation_batch: Whole = 100
    lr: Rate = 0.002  # of the contexts, SGD
    weight_lr: NotNegative = 0.02  # of the weights, Adam; 0 leaves them as they were drawn
    sizes: Literal["any", "three_or_more"] = "any"
    validation: Literal["first_batch", "cycle"] = "first_batch"
    validation_images: Literal["test_first", "test_sampled", "half_of_shots"] | None = None
    attribute_tokens: Literal["first", "all"] = "first"
    few_shot_draw: Literal["shared", "per_seed"] = "per_seed"
    shared_seed: int = 1

    @model_validator(mode="after")
    def _something_to_search(self):
        least = 3 if self.sizes == "three_or_more" else 1
        if len(self.bases) < least and not (self.source and not self.bases):
            raise ValueError(f"sizes '{self.sizes}' needs at least {least} bases, there are {len(self.bases)}")
        if self.validation_images == "half_of_shots" and self.shots < 2:
            raise ValueError("validation_images 'half_of_shots' needs at least 2 shots")
        return self

    @property
    def id(self) -> str:
        """The same before and after the bases of a source are known."""
        left_out = {name for name in ("validation_images", "source") if getattr(self, name) is None}
        left_out |= {"bases"} if self.source else set()
        return f"seed{self.seed}-{digest(self.model_dump(mode='json', exclude=left_out))}"

    @property
    def validation_part(self) -> Literal["train", "val", "test"]:
        """The part of the data set that its validation images are taken from."""
        return {"half_of_shots": "train", "test_first": "test"}.get(self.validation_images, "val")

    @property
    def draw_seed(self) -> int:
        """The seed whose few-shot images it searches on."""
        return self.shared_seed if self.few_shot_draw == "shared" else self.seed


def agreeing(run: RunSpec, every: int, images: int) -> Hashable:
    """What trained runs of a job and data set that step together agree in. every: as of ``tested``; images: that each
    is trained on."""
    t = run.training
    key = (run.image_size, run.images, t.batch_size_for(run.shots), t.epochs, every)
    return *key, t.precision, t.drop_last, images


def tested(every: int, epochs: int) -> list[int]:
    """The epochs after which a run is tested: every so many, and the last, which alone is where ``every`` is 0."""
    return sorted({*range(every, epochs + 1, every), epochs}) if every else [epochs]


def digest(value: JsonValue, digits: int = 10) -> str:
    """Hexadecimal digits of the SHA-256 of a JSON value, independent of key order."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:digits]
