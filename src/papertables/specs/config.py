"""Models of what config.yaml may say, and of what is named in every file that a person writes.

The JSON schema under docs/schema is generated from these models and those of artefacts, papers and scales beside them;
a test guards against drift.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, model_validator

from papertables.base.errors import unknown
from papertables.specs.spec import Model, Numerics, no_switch

PUBLISHED = "published"  # as the paper has it
Selection = Literal["best", "last"]
Measure = Literal[
    "accuracy", "base", "new", "harmonic_mean", "gain", "train_accuracy", "parameters", "seconds", "peak_memory_mb"
]
AnchorsName = Literal["published", "searched"]
FidelityName = Literal["published", "repaired"]
DEVICES = ("cpu", "cuda", "auto")
Gpu = Literal["A100", "H100", "H200", "L40S", "RTX 4090", "RTX 3090", "V100", "T4"]
Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


def all_different(values: tuple[object, ...]) -> tuple[object, ...]:
    """Raises ValueError for a value that is named twice."""
    if any(value in values[:place] for place, value in enumerate(values)):
        raise ValueError("each may be named once")
    return values


def _one_line(text: str) -> str:
    if not text.strip() or len(text.splitlines()) > 1:
        raise ValueError("it must be one line that is not empty")
    return text


def _address(text: str) -> str:
    if not text.startswith(("http://", "https://", "file://")):
        raise ValueError("it must begin with http://, https:// or file://")
    return text


def _device(name: str) -> str:
    kind, colon, place = name.partition(":")
    if name not in DEVICES and not (kind == "cuda" and colon and place.isdecimal()):
        raise ValueError(f"{unknown('value', name, DEVICES)}, or one GPU, such as cuda:1")
    return name


Line = Annotated[str, AfterValidator(_one_line)]


def _listed(names: object) -> object:
    """A list of names, also from one text: ``attrvr, blm_padding``."""
    return names.replace(",", " ").split() if isinstance(names, str) else names


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


Seed = Annotated[int, BeforeValidator(no_switch), Field(ge=0)]
Device = Annotated[str, AfterValidator(_device)]
Count = Annotated[int, Field(ge=1, strict=True)]
Seeds = Annotated[tuple[Seed, ...], Field(min_length=1), AfterValidator(all_different)]
Names = Annotated[
    tuple[str, ...], Field(min_length=1), BeforeValidator(_listed, json_schema_input_type=str | tuple[str, ...])
]
DifferentNames = Annotated[tuple[Line, ...], Field(min_length=1), AfterValidator(all_different)]
Folder = Annotated[str, Field(min_length=1), AfterValidator(lambda path: str(Path(path).expanduser()))]
Address = Annotated[str, AfterValidator(_address)]
PerChannel = tuple[float, float, float]


class OwnWeights(Model):
    """A user's file in place of a backbone's published weights, and what it is of; None leaves what the backbone's
    entry says. Models with the same tensors may compute different things: a CLIP with GELU or with QuickGELU."""

    path: Folder
    architecture: str | None = Field(None, description="open_clip's name for a CLIP, else torchvision's or timm's")
    mean: PerChannel | None = Field(None, description="per channel, that the model's pixels were normalised with")
    std: PerChannel | None = None

    @model_validator(mode="after")
    def _mean_with_std(self):
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std go together: name both or neither")
        return self


def _path_alone(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


Weights = Annotated[OwnWeights, BeforeValidator(_path_alone, json_schema_input_type=str | OwnWeights)]


class Config(Model):
    """config.yaml: what to reproduce. None takes the scale's or the paper's own value."""

    scale: str = "mini"
    artefacts: Names = Field(
        ("headline",), description="headline, all, or papers and artefact ids", examples=["[attrvr, blm_padding]"]
    )
    seeds: Seeds | None = Field(None, examples=["[1, 2, 3]"])
    selection: Selection | None = None
    sentences: str = Field(
        PUBLISHED, description="AttrVR's: published, or a source of sentences", examples=["published"]
    )
    bases: str = Field(
        PUBLISHED, description="what attributes are searched in: published, or a language model", examples=["published"]
    )
    anchors: AnchorsName = Field("published", description="what prompts take")
    llm: dict[str, JsonValue] = Field(
        {},
        description="over what is declared of the language model that sentences or bases name",
        examples=['{"model": "llama3.2", "base_url": "http://localhost:11434/v1"}'],
    )
    numerics: Numerics = Field(
        "published",
        description="of tests and mapping passes: in fp32, or fast, on a GPU in half precision",
    )
    fidelity: FidelityName = "published"
    choices: dict[str, str] = Field(
        {},
        description="by name, another value of a choice that a paper declares",
        examples=['{"recipe": "vanilla"}'],
    )
    data_root: Folder = "data"
    cache_dir: Folder | None = Field(
        None,
        description="a folder on each machine's own disk, where jobs keep copies of the image caches that they read",
        examples=["/scratch/$USER/papertables"],
    )
    shared_data: Annotated[
        tuple[Folder, ...], BeforeValidator(_one_or_many, json_schema_input_type=str | tuple[str, ...])
    ] = Field((), description="folders with data in CoOp's layout, searched first and never written to")
    downloads: bool | None = Field(None, description="whether data, weights and sentences may be fetched")
    mirrors: dict[Address, Address] = Field(
        {},
        description="by how an address begins, what stands there in its place; the longest beginning counts",
        examples=['{"https://": "http://mirror.lab/"}'],
    )
    download_patience: float = Field(
        300.0, ge=0, le=3600, description="seconds without a new byte until an address is given up"
    )
    weights: dict[str, Weights] = Field(
        {},
        description="by backbone, a file of yours in place of the published one, or that and what it is of",
        examples=[
            '{"resnet18": "mine.pth"}',
            '{"clip_vit_b32": {"path": "laion.pt", "architecture": "ViT-B-32"}}',
        ],
    )
    device: Device | None = Field(None, description="cpu, auto, cuda (any GPU that is free) or one, such as cuda:1")
    runs_per_job: Count | None = None
    max_job_hours: float = Field(
        4.0, gt=0, allow_inf_nan=False, description="estimated; a job takes no further run that would make it longer"
    )
    gpu: Gpu = Field("A100", description="the GPU whose time the plan estimates")
    retrain: str | None = Field(None, description="glob over run ids to train again, such as 'mini_digits/*/vp-*'")
    checkpoint_seconds: float = Field(
        5.0, ge=0, allow_inf_nan=False, description="least time between two checkpoints of a training"
    )
    pretrain_steps: Count | None = Field(None, description="of pretrain_mini; null: as the shipped weights")
    partial: bool = Field(False, description="render tables with the runs that are there")
    source: str | None = Field(None, description="of adopt: whose answers are copied to attributes/")
    trial: dict[str, JsonValue] = Field(
        {},
        description="an artefact beside those that are declared, with its id and paper: what papertables train makes",
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_none(cls, values: object) -> object:
        """Snakemake's command line hands ``null`` over as a text."""
        if not isinstance(values, Mapping):
            return values
        return {key: None if value == "null" else value for key, value in values.items()}

    @model_validator(mode="before")
    @classmethod
    def _told_by_its_name(cls, values: object) -> object:
        if isinstance(values, Mapping) and "attributes" in values:
            raise ValueError("'attributes' is called anchors now: write anchors: published, or anchors: searched")
        return values
