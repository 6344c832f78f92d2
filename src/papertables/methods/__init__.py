"""The table of methods. Nothing here imports torch, so that a plan can be made without it.

A new method is one file with a class ``Learner`` and one line in ``METHODS``.
"""

from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from pydantic import JsonValue

from papertables.backbones.catalog import backbone
from papertables.code import code_digest, source_files
from papertables.data.catalog import dataset
from papertables.errors import UserError
from papertables.methods.lora_options import check_lora_options
from papertables.methods.mapping_options import MAPPINGS, check_mapping_options, makes_mapping
from papertables.methods.mask_options import check_mask_options
from papertables.methods.options import check_options
from papertables.methods.prompt_options import check_prompt_options
from papertables.spec import RunSpec

if TYPE_CHECKING:
    from torch import nn

    from papertables.methods.context import Context

PACKAGE = "papertables.methods"


@dataclass(frozen=True)
class Method:
    """One family of methods.

    module: where its ``Learner`` is. pixel_options: options in pixels of a 224 px input, which the plan
    scales to the backbone's input. maps_labels: its logits come from the backbone's own labels or features.
    only_output: nothing else is trained. adapts_tower: it trains inside a copy of the tower, and its learner's
    ``features`` take the place of the shared one. learns_prompts: its classes are learned prompts, made for any names.
    prompts_images: it also adds tokens to images. input_side: the option that is the side of the images the
    method is given (None: the backbone's whole input). options: defaults at 224 px.
    """

    module: str
    trains: bool
    uses_attributes: bool = False
    maps_labels: bool = False
    only_output: bool = False
    adapts_tower: bool = False
    learns_prompts: bool = False
    prompts_images: bool = False
    pixel_options: tuple[str, ...] = ()
    input_side: str | None = None
    options: dict[str, JsonValue] = field(default_factory=dict)

    @property
    def needs_tower(self) -> bool:
        """Whether its learner is made with the tower at hand."""
        return self.adapts_tower or self.learns_prompts

    @property
    def reads_template(self) -> bool:
        """Whether its classes are prompts made from the data set's template."""
        return not (self.uses_attributes or self.maps_labels or self.learns_prompts)

    def switches(self, options: dict[str, JsonValue], *, few_shot: bool) -> frozenset[str]:
        """The fidelity switches that can touch a run with these options, few-shot or on whole data sets."""
        found: set[str] = set()
        if self.uses_attributes or (self.trains and few_shot):
            found |= {"few_shot_draw", "shared_seed"}
        if self.uses_attributes:
            found |= {"attribute_stream", "attribute_sampling"}
        if self.learns_prompts and options["attributes"]:
            found |= {"attribute_tokens", "deep_start"} if self.prompts_images else {"attribute_tokens"}
        if "patch" in self.options and makes_mapping(options["mapping"]):  # batch norm, and a pass that it sees
            found |= {"first_mapping_pass"}
        return frozenset(found)

    def check(self, run: RunSpec) -> None:
        """Raises UserError if the run's options cannot work with its backbone."""
        tower, options = backbone(run.backbone), run.options
        try:
            check_options(options, tower.image_size)
            if "patch" in options:
                check_mask_options(tower.image_size, *(options[name] for name in MASKED))
            if self.adapts_tower:
                check_lora_options(tower.kind, options["rank"])
            if self.learns_prompts:
                check_prompt_options(options, tower, run.protocol)
            if self.only_output and options["mapping"] in MAPPINGS:
                raise UserError(f"option mapping is '{options['mapping']}': on plain images nothing would be trained")
            if self.maps_labels:
                mapped = (options[name] for name in MAPPED)
                check_mapping_options(*mapped, classes=dataset(run.dataset).classes, labels=tower.classes)
            elif tower.classes is not None:
                raise UserError("this backbone has no text tower: take a CLIP")
        except UserError as error:
            raise UserError(f"{run.method} with {run.backbone} on {run.dataset}: {error}") from None


ATTRIBUTES = {"k": 3, "lam": 0.5, "m": 20}
PADDED = {"pixel_options": ("inner",), "input_side": "inner"}
MAPPED = {"mapping": "ilm", "laplace": 1, "ratio": 0.15}
ANCHORED = {"attributes": [], "anchors": "interval", "attribute_context": None}
MASKED = {"layers": 5, "patch": 8, "channels": 3, "width": 8}
METHODS: dict[str, Method] = {
    "zero_shot": Method(f"{PACKAGE}.zero_shot", trains=False),
    "attr_zs": Method(f"{PACKAGE}.attr_zs", trains=False, uses_attributes=True, options=ATTRIBUTES),
    "vp": Method(f"{PACKAGE}.vp", trains=True, pixel_options=("pad",), options={"pad": 30}),
    "ar": Method(f"{PACKAGE}.ar", trains=True, options={"inner": 192}, **PADDED),
    "padding": Method(f"{PACKAGE}.padding", trains=True, maps_labels=True, options={"inner": 128, **MAPPED}, **PADDED),
    "watermark": Method(
        f"{PACKAGE}.watermark", trains=True, maps_labels=True, pixel_options=("pad",), options={"pad": 112, **MAPPED}
    ),
    "smm": Method(f"{PACKAGE}.smm", trains=True, maps_labels=True, options={**MASKED, **MAPPED}),
    "only_mask": Method(f"{PACKAGE}.only_mask", trains=True, maps_labels=True, options={**MASKED, **MAPPED}),
    "finetune": Method(
        f"{PACKAGE}.finetune",
        trains=True,
        maps_labels=True,
        only_output=True,
        options=MAPPED | {"mapping": "last_layer"},
    ),
    "lora": Method(
        f"{PACKAGE}.lora",
        trains=True,
        maps_labels=True,
        adapts_tower=True,
        options=MAPPED | {"mapping": "last_layer", "rank": 6},
    ),
    "coop": Method(
        f"{PACKAGE}.coop",
        trains=True,
        learns_prompts=True,
        options={"context": 16, "class_specific": False, "class_position": "end", "init": "", **ANCHORED},
    ),
    "cocoop": Method(
        f"{PACKAGE}.cocoop",
        trains=True,
        learns_prompts=True,
        options={"context": 4, "init": "a photo of a", **ANCHORED},
    ),
    "maple": Method(
        f"{PACKAGE}.maple",
        trains=True,
        learns_prompts=True,
        prompts_images=True,
        options={"context": 2, "depth": 9, "init": "a photo of a", "deep": "keep", **ANCHORED},
    ),
    "dept": Method(
        f"{PACKAGE}.dept",
        trains=True,
        learns_prompts=True,
        options={
            "prompt": "coop",
            "context": 4,
            "init": "",
            "class_position": "end",
            "weight": 0.7,
            "probe": "linear",
            **ANCHORED,
        },
    ),
    "attrvr": Method(
        f"{PACKAGE}.attrvr", trains=True, uses_attributes=True, options={"inner": 192, **ATTRIBUTES}, **PADDED
    ),
}


def build(name: str, options: dict[str, JsonValue], context: "Context") -> "nn.Module":
    """The learner of a method: ``pixels`` (B, 3, s, s) in [0, 1] to the tower's normalised input (B, 3, P,
    P), and ``logits`` from the tower's features (B, D) to (B, C). One that adapts the tower also has ``features``,
    from the former to the latter; one that learns prompts has ``prompts`` for class names, and its ``logits`` take the
    features of these texts and the names too."""
    return import_module(METHODS[name].module).Learner(context, **options)


@cache
def method_code(name: str) -> str:
    """SHA-256 over the syntax trees of the method's module and of all modules of this package that it
    imports: comments, docstrings and formatting change nothing."""
    return code_digest(source_files(METHODS[name].module, [PACKAGE]))
