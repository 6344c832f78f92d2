"""The table of methods: what each is, with its options; without torch, so that a plan can be made without it.

A new method is one file with a class ``Learner`` and, here, its options and one line in ``METHODS``.
"""

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from pydantic import JsonValue

from papertables.backbones.catalog import Backbone, backbone
from papertables.base.code import code_digest, defines, module_file, source_files
from papertables.base.errors import UserError
from papertables.methods.mapping_names import makes_mapping
from papertables.methods.options import (
    AttributeOptions,
    Count,
    FullOptions,
    ImageTokenOptions,
    LoraOptions,
    MappingOptions,
    MaskOptions,
    Options,
    OutputOptions,
    PaddingOptions,
    Positive,
    PromptOptions,
    Share,
    WatermarkOptions,
    Weight,
    check_vit,
)
from papertables.methods.prompt_names import ClassPosition, DeepAttributes, Probe, PromptKind
from papertables.specs.spec import RunSpec
from papertables.specs.validation import parse

if TYPE_CHECKING:
    from papertables.methods.inputs import MethodInputs
    from papertables.methods.learner import BaseLearner

PACKAGE = "papertables.methods"


class Vp(WatermarkOptions):
    pad: Count = 30


class Ar(PaddingOptions):
    inner: Count = 192


class Attrvr(AttributeOptions, PaddingOptions):
    inner: Count = 192


class Padding(MappingOptions, PaddingOptions):
    inner: Count = 128


class Watermark(MappingOptions, WatermarkOptions):
    pad: Count = 112


class Smm(MappingOptions, MaskOptions):
    pass


class Coop(PromptOptions):
    context: Count = 16
    class_specific: bool = False
    class_position: ClassPosition = "end"

    def check(self, tower, run: RunSpec) -> None:
        super().check(tower, run)
        if self.class_specific and self.attributes:
            raise UserError("class_specific is true: contexts of single classes take no attributes")
        if self.class_specific and run.protocol != "few_shot":
            raise UserError(f"class_specific is true: contexts of single classes know no others ({run.protocol})")


class Cocoop(PromptOptions):
    context: Count = 4
    init: str = "a photo of a"


class Maple(PromptOptions):
    context: Count = 2
    depth: Count = 9
    init: str = "a photo of a"
    deep: DeepAttributes = "keep"

    def check(self, tower, run: RunSpec) -> None:
        super().check(tower, run)
        check_vit(tower)


class Promptsrc(ImageTokenOptions, PromptOptions):
    context: Count = 4
    depth: Count = 9
    init: str = "a photo of a"
    text_weight: Weight = 25
    image_weight: Weight = 10
    logit_weight: Weight = 1
    mean: Positive = 15
    std: Positive = 1


class Promptkd(ImageTokenOptions):
    weight: Weight = 1000
    temperature: Positive = 1

    def check(self, tower: Backbone, run: RunSpec) -> None:
        super().check(tower, run)
        if run.protocol != "base_to_new":
            raise UserError(f"its teacher knows base classes: take protocol base_to_new, this is {run.protocol}")
        if run.teacher is None:
            raise UserError("it learns from a teacher: name one under 'teacher' of the paper's row")
        if run.teacher.image_size != run.image_size:
            sides = f"{run.teacher.image_size} pixels, the student's {run.image_size}"
            raise UserError(f"the teacher's images have {sides}: both look at the same")


class Dept(PromptOptions):
    prompt: PromptKind = "coop"
    context: Count = 4
    class_position: ClassPosition = "end"
    weight: Share = 0.7
    probe: Probe = "linear"


@dataclass(frozen=True)
class Method:
    """One method: what it is given and trains follows from the families of its options.

    module: of this package, where its ``Learner`` is. options_model: its options. trains: whether anything is trained.
    adapts_tower: it trains inside a copy of the tower, so that its learner has ``features``. prompts_images: it adds
    tokens to images, so that its learner has ``image_prompts``. stays_near: its loss compares what it makes of images
    and classes with what the frozen towers make of them. distils: it learns from a teacher.
    """

    module: str
    options_model: type[Options] = Options
    trains: bool = True
    adapts_tower: bool = False
    prompts_images: bool = False
    stays_near: bool = False
    distils: bool = False

    @property
    def options(self) -> dict[str, JsonValue]:
        """The defaults, at a 224 px input."""
        return self.options_model.defaults()

    @property
    def uses_attributes(self) -> bool:
        """Whether it reads generated sentences."""
        return issubclass(self.options_model, AttributeOptions)

    @property
    def maps_labels(self) -> bool:
        """Whether its logits come from the backbone's own labels or features."""
        return issubclass(self.options_model, MappingOptions)

    @property
    def learns_prompts(self) -> bool:
        """Whether its classes are learned prompts, made for any names."""
        return issubclass(self.options_model, PromptOptions)

    @property
    def leaves_images(self) -> bool:
        """Whether the frozen tower's features of plain images are all that a test needs of them."""
        return not self.trains or (self.learns_prompts and not self.prompts_images)

    @property
    def changes_images(self) -> bool:
        """Whether what it trains stands before the end of the image tower, so that gradients go through that."""
        before = issubclass(self.options_model, WatermarkOptions | PaddingOptions | MaskOptions)
        return before or self.adapts_tower or self.prompts_images

    @property
    def needs_tower(self) -> bool:
        """Whether its learner is made with the tower at hand."""
        return self.adapts_tower or self.learns_prompts or self.prompts_images

    @property
    def reads_template(self) -> bool:
        """Whether its classes are prompts made from the data set's template."""
        return not (self.uses_attributes or self.maps_labels or self.learns_prompts or self.distils)

    def switches(self, options: dict[str, JsonValue], *, few_shot: bool) -> frozenset[str]:
        """The fidelity switches that can touch a run with these options, few-shot or on whole data sets."""
        found: set[str] = set()
        if self.uses_attributes or (self.trains and few_shot and not self.distils):
            found |= {"few_shot_draw", "shared_seed"}
        if self.trains:
            found |= {"on_nonfinite"}
        if self.uses_attributes:
            found |= {"attribute_stream", "attribute_sampling"}
        if self.learns_prompts and options["attributes"]:
            found |= {"attribute_tokens", "deep_start"} if self.prompts_images else {"attribute_tokens"}
        if self.distils:
            found |= {"kept_epoch"}
        if issubclass(self.options_model, MaskOptions) and makes_mapping(options["mapping"]):
            found |= {"first_mapping_pass"}  # which its batch norm sees
        return frozenset(found)

    def check(self, run: RunSpec) -> None:
        """Raises UserError if the method has no code, or the run's options cannot work with its backbone, data set or
        protocol."""
        check_code(self.module)
        where, tower = f"{run.method} with {run.backbone} on {run.dataset}", backbone(run.backbone)
        options = parse(self.options_model, run.options, f"{where}: options")
        try:
            options.check(tower, run)
        except UserError as error:
            raise UserError(f"{where}: options: {error}") from None
        if tower.classes is not None and not self.maps_labels:
            raise UserError(f"{where}: this backbone has no text tower: take a CLIP")


METHODS: dict[str, Method] = {
    "zero_shot": Method("zero_shot", trains=False),
    "attr_zs": Method("attr_zs", AttributeOptions, trains=False),
    "vp": Method("vp", Vp),
    "ar": Method("ar", Ar),
    "padding": Method("padding", Padding),
    "watermark": Method("watermark", Watermark),
    "smm": Method("smm", Smm),
    "only_mask": Method("only_mask", Smm),
    "finetune": Method("finetune", OutputOptions),
    "full_finetuning": Method("full_finetuning", FullOptions, adapts_tower=True),
    "lora": Method("lora", LoraOptions, adapts_tower=True),
    "coop": Method("coop", Coop),
    "cocoop": Method("cocoop", Cocoop),
    "maple": Method("maple", Maple, prompts_images=True),
    "dept": Method("dept", Dept),
    "promptsrc": Method("promptsrc", Promptsrc, prompts_images=True, stays_near=True),
    "promptkd": Method("promptkd", Promptkd, prompts_images=True, distils=True),
    "attrvr": Method("attrvr", Attrvr),
}


def build(name: str, options: dict[str, JsonValue], given: "MethodInputs") -> "BaseLearner":
    """The learner of a method before training, see ``BaseLearner``."""
    return import_module(f"{PACKAGE}.{METHODS[name].module}").Learner(given, **options)


@cache
def check_code(module: str) -> None:
    """Raises UserError for a module that is not there, has no learner or does not parse, or imports what does not."""
    file = module_file(f"{PACKAGE}.{module}")
    if not file.is_file():
        raise UserError(f"{file}: there is no such file: write it, with a class Learner (docs/adding.md)")
    if not defines(file, "Learner"):
        raise UserError(f"{file}: it has no class Learner: write one (docs/adding.md)")
    source_files(f"{PACKAGE}.{module}", [PACKAGE])


@cache
def method_code(name: str) -> str:
    """SHA-256 over the syntax trees of the method's module and of all modules of this package that it
    imports: comments, docstrings and formatting change nothing."""
    return code_digest(source_files(f"{PACKAGE}.{METHODS[name].module}", [PACKAGE]))
