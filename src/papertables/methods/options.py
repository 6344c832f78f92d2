"""The options of methods by family: types, defaults at a 224 px input, and what they must fulfil; without torch.

The options of a method are a class made of these families, in ``methods.table``.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue, field_validator

from papertables.backbones.catalog import Backbone
from papertables.base.errors import UserError
from papertables.data.catalog import dataset
from papertables.methods.mapping_names import MAPPINGS, TRAINED_OUTPUTS
from papertables.methods.prompt_names import Anchors
from papertables.specs.spec import Model, RunSpec

Count = Annotated[int, Field(ge=1, strict=True)]
Share = Annotated[float, Field(ge=0, le=1, strict=True)]
Weight = Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)]
PUBLISHED_INPUT = 224  # pixels; the input for which options in pixels are written
MOST_ATTRIBUTES = 3
SEARCHED = "searched"  # attributes that are known once a search is done


def check_vit(tower: Backbone) -> None:
    """Raises UserError for a backbone whose images have no patches."""
    if not tower.is_vit:
        raise UserError("prompts beside image patches need a ViT: take another backbone")


def _at_most(pixels: int) -> str:
    """The mend of an option in pixels that does not fit: what is checked was scaled from what is written."""
    return f"; it is scaled from what is written for {PUBLISHED_INPUT} pixels: write at most {pixels}"


class Options(Model):
    """Options of one method; what they are given to is its ``Learner``.

    in_pixels: those that the plan scales from a 224 px input to the backbone's. input_side: the one that is the side of
    the images the method is given (None: the backbone's whole input).
    """

    in_pixels: ClassVar[tuple[str, ...]] = ()
    input_side: ClassVar[str | None] = None

    @classmethod
    def defaults(cls) -> dict[str, JsonValue]:
        """As they are written, by name; ids of runs hold them so."""
        return {name: field.default for name, field in cls.model_fields.items()}

    def check(self, tower: Backbone, run: RunSpec) -> None:
        """Raises UserError for the first option that cannot work with the run's backbone, data set or protocol."""


class AttributeOptions(Options):
    """AttrVR's text side. ``k`` above ``m`` means all m sentences, as in the released code."""

    k: Count = 3
    lam: Share = 0.5
    m: Count = 20


class WatermarkOptions(Options):
    """A frame of ``pad`` pixels over the image."""

    in_pixels = ("pad",)
    pad: Count

    def check(self, tower: Backbone, run: RunSpec) -> None:
        super().check(tower, run)
        if 2 * self.pad > tower.image_size:
            raise UserError(
                f"pad is {self.pad}: two frames do not fit into an input of {tower.image_size} pixels"
                f"{_at_most(PUBLISHED_INPUT // 2)}"
            )


class PaddingOptions(Options):
    """A frame around an image of side ``inner``."""

    in_pixels = ("inner",)
    input_side = "inner"
    inner: Count

    def check(self, tower: Backbone, run: RunSpec) -> None:
        super().check(tower, run)
        if self.inner > tower.image_size:
            raise UserError(
                f"inner is {self.inner}: the image is larger than the input of {tower.image_size} pixels"
                f"{_at_most(PUBLISHED_INPUT)}"
            )


class MaskOptions(Options):
    """SMM's mask network, see ``MaskNetwork``."""

    layers: Literal[5, 6] = 5
    patch: Literal[1, 2, 4, 8, 16, 32] = 8
    channels: Literal[1, 3] = 3
    width: Count = 8

    def check(self, tower: Backbone, run: RunSpec) -> None:
        super().check(tower, run)
        if self.patch > 2 ** (self.layers - 1):
            raise UserError(f"patch is {self.patch}: it needs 6 layers, as each but the last can halve the mask")


class MappingOptions(Options):
    """From source labels to target classes. laplace: BLM's λ; ratio: of BLM+'s k to the number of classes, as far as
    there are source labels."""

    mapping: Literal[*MAPPINGS, *TRAINED_OUTPUTS] = "ilm"
    laplace: Annotated[float, Field(ge=0, strict=True)] = 1
    ratio: Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)] = 0.15

    def check(self, tower: Backbone, run: RunSpec) -> None:
        super().check(tower, run)
        classes, labels = dataset(run.dataset).classes, tower.classes  # labels: None of a CLIP, which has enough
        if self.mapping == "last_layer" and labels is None:
            raise UserError("mapping is 'last_layer': it replaces the last layer of a classifier, a CLIP has none")
        rule = MAPPINGS.get(self.mapping, ("trained",))[0]
        if rule in ("random", "one_to_one") and labels is not None and classes > labels:
            raise UserError(f"{classes} classes, but only {labels} source labels: take mapping blm or blmp")


class OutputOptions(MappingOptions):
    """The output of a method that trains nothing else."""

    mapping: Literal[*MAPPINGS, *TRAINED_OUTPUTS] = "last_layer"

    def check(self, tower: Backbone, run: RunSpec) -> None:
        if self.mapping in MAPPINGS:
            raise UserError(f"mapping is '{self.mapping}': on plain images nothing would be trained")
        super().check(tower, run)


class FullOptions(OutputOptions):
    """The output of a method that trains a classifier whole."""

    def check(self, tower: Backbone, run: RunSpec) -> None:
        if tower.classes is None:
            raise UserError("all of a classifier is trained, this backbone is a CLIP: take a classifier")
        super().check(tower, run)


class LoraOptions(MappingOptions):
    """Adapters of a ViT's attention."""

    kinds: ClassVar[tuple[str, ...]] = ("timm",)  # of backbones whose image model can be adapted
    mapping: Literal[*MAPPINGS, *TRAINED_OUTPUTS] = "last_layer"
    rank: Count = 6

    def check(self, tower: Backbone, run: RunSpec) -> None:
        if tower.kind not in self.kinds:
            kinds = ", ".join(self.kinds)
            raise UserError(f"LoRA does not adapt a backbone of kind {tower.kind}: take a ViT of kind {kinds}")
        super().check(tower, run)


class ImageTokenOptions(Options):
    """Learned tokens beside the patches of an image, see ``ImageTokens``."""

    image_context: Count = 4
    image_depth: Count = 9

    def check(self, tower: Backbone, run: RunSpec) -> None:
        super().check(tower, run)
        check_vit(tower)


class PromptOptions(Options):
    """Learned context before a class name, and ATPrompt's attributes between.

    context: tokens of the class. init: words whose embeddings they start from. attributes: words, or ``searched``.
    attribute_context: tokens of each attribute, None: as many as the class has.
    """

    context: Count
    init: str = ""
    attributes: JsonValue = []
    anchors: Anchors = "interval"
    attribute_context: list[Count] | None = None

    @field_validator("attributes")
    @classmethod
    def _different_words(cls, value: JsonValue) -> JsonValue:
        if value == SEARCHED:
            return value
        words = isinstance(value, list) and all(isinstance(each, str) and each.strip() for each in value)
        if not words or len(set(value)) != len(value):
            raise ValueError("it must be a list of different words")
        if len(value) > MOST_ATTRIBUTES:
            raise ValueError(f"take at most {MOST_ATTRIBUTES} words")
        return value

    def check(self, tower: Backbone, run: RunSpec) -> None:
        super().check(tower, run)
        needed = MOST_ATTRIBUTES if self.attributes == SEARCHED else len(self.attributes)
        if self.attribute_context is not None and len(self.attribute_context) < needed:
            raise UserError(f"attribute_context is {self.attribute_context}: it needs a number for each attribute")
