"""Models of everything a person writes: config.yaml, scales, papers and artefacts.

The JSON schema under docs/schema is generated from these models; a test guards against drift.
"""

from collections.abc import Container, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, StrictFloat, StrictInt, model_validator

from papertables.base.errors import unknown
from papertables.specs.drawings import DRAWINGS, Drawing
from papertables.specs.spec import (
    Fidelity,
    Images,
    Model,
    Number,
    Numerics,
    ProtocolName,
    Rate,
    ShownPart,
    Training,
    Whole,
    no_switch,
)

PUBLISHED = "published"  # as the paper has it
Selection = Literal["best", "last"]
Measure = Literal[
    "accuracy", "base", "new", "harmonic_mean", "gain", "train_accuracy", "parameters", "seconds", "peak_memory_mb"
]
AnchorsName = Literal["published", "searched"]
DrawingName = Literal[tuple(DRAWINGS)]
Quantity = Literal["train_accuracy", "train_loss", "test_accuracy"]
COMPUTED = {  # tables without runs, and what their rows vary
    "mask_parameters": "backbone",
    "upscaling": "backbone",
    "datasets": "dataset",
    "settings": "dataset",
    "anchors": "dataset",
    "search_weights": "dataset",
    "attribute_report": "attributes",
    "audit": None,
    "gains": None,
}
ComputedName = Literal[tuple(COMPUTED)]
FidelityName = Literal["published", "repaired"]
DEVICES = ("cpu", "cuda", "auto")
Gpu = Literal["A100", "H100", "H200", "L40S", "RTX 4090", "RTX 3090", "V100", "T4"]
Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
VARIED = (
    "method",
    "dataset",
    "target",
    "protocol",
    "backbone",
    "shots",
    "fraction",
    "attributes",
    "anchors",
    "fidelity",
    "measure",
    "over",
)


def _all_different(values: tuple[object, ...]) -> tuple[object, ...]:
    if any(value in values[:place] for place, value in enumerate(values)):
        raise ValueError("each may be named once")
    return values


def _one_line(text: str) -> str:
    if not text.strip() or len(text.splitlines()) > 1:
        raise ValueError("it must be one line that is not empty")
    return text


def _varied(name: str) -> str:
    if name not in VARIED and not name.startswith(("options.", "training.")):
        raise ValueError(unknown("setting", name, [*VARIED, "options.…", "training.…"]))
    return name


def _file_name(name: str) -> str:
    if Path(name).name != name or not name.endswith(".csv"):
        raise ValueError("it must be the name of a .csv file in the paper's folder 'published', without a path")
    return name


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
Seeds = Annotated[tuple[Seed, ...], Field(min_length=1), AfterValidator(_all_different)]
Names = Annotated[
    tuple[str, ...], Field(min_length=1), BeforeValidator(_listed, json_schema_input_type=str | tuple[str, ...])
]
DifferentNames = Annotated[tuple[Line, ...], Field(min_length=1), AfterValidator(_all_different)]
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


class Entry(Model):
    """One value of an axis: what it is called, here and where published numbers call it otherwise, and which settings
    it sets."""

    label: Line | None = None
    published: Line | None = None
    set: dict[str, JsonValue]

    @model_validator(mode="after")
    def _has_a_name(self):
        if self.label is None and not self.set:
            raise ValueError("it sets nothing: give it a label, or a setting under 'set'")
        return self


def _list_or_all(values: object) -> object:
    if isinstance(values, str) and values != "all":
        raise ValueError(f"it must be all or a list, such as [{values}]")
    return values


AxisValue = str | StrictInt | StrictFloat | Entry


class Axis(Model):
    """Rows or columns: a setting and its values (``all``: every one that the paper lists, but ``without``)."""

    vary: Annotated[str, AfterValidator(_varied)]
    values: Annotated[
        Literal["all"] | Annotated[tuple[AxisValue, ...], Field(min_length=1), AfterValidator(_all_different)],
        BeforeValidator(_list_or_all),
    ] = "all"
    without: Annotated[tuple[str, ...], AfterValidator(_all_different)] = ()

    @model_validator(mode="after")
    def _labels_tell_values_apart(self):
        labels = [value.label for value in self.values if isinstance(value, Entry) and value.label]
        if len(set(labels)) < len(labels):
            raise ValueError("two values have one label: give each its own")
        return self

    @model_validator(mode="after")
    def _all_of_what_a_paper_lists(self):
        if self.values == "all" and self.vary not in ("dataset", "method"):
            raise ValueError(f"'values: all' is known for dataset and method, not for {self.vary}: list its values")
        if self.values != "all" and self.without:
            raise ValueError("'without' leaves out of 'values: all': leave it out, or the values")
        return self

    def sets(self, key: str) -> bool:
        """Whether every one of its values sets this."""
        return (
            self.vary == key
            if self.values == "all"
            else all(key in value.set if isinstance(value, Entry) else self.vary == key for value in self.values)
        )


class Published(Model):
    """Where the published digits are. ``average`` names the data-set entry that holds the printed average."""

    file: Annotated[str, AfterValidator(_file_name)]
    average: Line | None = None
    metric: Line = Field("acc", description="the rows of the file that are read, by their column 'metric'")
    measure: Measure = "accuracy"


class Gain(Model):
    """A cell of another artefact, as averages count it, or by how much it is above another one. at: key of the axis
    that is not the method's, where it is no data set."""

    artefact: Id
    block: Line | None = None
    of: Line
    over: Line | None = None
    at: Line | None = None

    @property
    def named(self) -> tuple[str, ...]:
        return (self.of, self.over) if self.over else (self.of,)


class Artefact(Model):
    """One table or figure: rows × columns × seeds, each cell optionally the average over a pool."""

    id: Id
    paper: Id = ""
    kind: Literal["table", "figure"] = "table"
    drawing: DrawingName | None = Field(None, description="of a figure: what is drawn of its rows and columns")
    quantities: Annotated[tuple[Quantity, ...], Field(min_length=1), AfterValidator(_all_different)] = Field(
        ("test_accuracy", "train_loss"), description="of curves"
    )
    part: ShownPart = Field("test", description="of a drawing that inspects runs: on which images it shows them")
    embeds: Literal["features", "source_logits"] = Field(
        "features", description="of embeddings: what is projected; source logits are of classifiers"
    )
    classes: Annotated[tuple[Line, ...], AfterValidator(_all_different)] = Field(
        (), description="of a drawing of classes: those that the paper shows, where a data set has them"
    )
    title: Line
    caption: str = ""
    headline: bool = False
    computed: ComputedName | None = Field(None, description="of a table without runs: what it computes")
    rows: Axis | None = None
    blocks: Axis | None = Field(None, description="repeats the rows for each of its values")
    columns: Axis | None = None
    pool: Axis | None = None
    average: bool = False
    average_without: Annotated[tuple[str, ...], AfterValidator(_all_different)] = Field(
        (), description="data sets, or targets, that the average leaves out"
    )
    fixed: dict[str, JsonValue] = {}
    between: Literal["selection", "fidelity"] | None = Field(None, description="of computed 'gains': what differs")
    gains: Annotated[tuple[Gain, ...], AfterValidator(_all_different)] = Field(
        (), description="of computed 'gains': its rows, from other artefacts"
    )
    empty: tuple[dict[str, DifferentNames], ...] = Field(
        (), description="cells that there are not: where each key has one of its values"
    )
    seeds: Seeds | None = Field(None, description="in place of the scale's or the paper's")
    selection: Selection | None = None
    published: Annotated[tuple[Published, ...], AfterValidator(_all_different)] = ()

    @property
    def axes(self) -> dict[str, Axis]:
        """Those that it has, by name."""
        found = {"rows": self.rows, "blocks": self.blocks, "columns": self.columns, "pool": self.pool}
        return {name: axis for name, axis in found.items() if axis}

    @property
    def needs(self) -> Drawing:
        """What its drawing needs; nothing of a table."""
        return DRAWINGS[self.drawing] if self.drawing else Drawing()

    def leaves_empty(self, settings: Mapping[str, JsonValue]) -> bool:
        return any(all(settings.get(key) in values for key, values in each.items()) for each in self.empty)

    @property
    def others(self) -> tuple[str, ...]:
        """The artefacts whose runs it shows."""
        return tuple(dict.fromkeys(gain.artefact for gain in self.gains))

    @property
    def trains_beside(self) -> bool:
        """Whether what it computes may have columns of runs beside it."""
        return self.computed == "anchors"

    @property
    def shows_tests(self) -> bool:
        """Whether it shows tests on the way, whichever epoch is selected."""
        return self.drawing == "selection" or (self.drawing == "curves" and "test_accuracy" in self.quantities)

    @property
    def shows_searches(self) -> bool:
        return self.needs.searches or self.computed in ("anchors", "search_weights")

    @model_validator(mode="after")
    def _only_figures_are_drawn(self):
        if self.kind == "figure" and self.drawing is None:
            raise ValueError(f"a figure needs a drawing: add one of {', '.join(DRAWINGS)}")
        if self.kind == "table" and self.drawing is not None:
            raise ValueError("drawing is of figures: write kind: figure, or leave it out")
        return self

    @model_validator(mode="after")
    def _has_axes_or_computes(self):
        if self.needs.searches:
            if self.rows is None or self.rows.vary != "dataset" or self.columns is not None:
                raise ValueError(f"drawing '{self.drawing}' takes rows that vary dataset, and no columns")
        elif not self.trains_beside and (self.computed is None) != (self.rows is not None and self.columns is not None):
            raise ValueError("an artefact has rows and columns, or names what it computes")
        return self

    @model_validator(mode="after")
    def _nothing_is_said_that_nobody_reads(self):
        if self.drawing != "curves" and "quantities" in self.model_fields_set:
            raise ValueError("quantities are of drawing 'curves': leave them out")
        if self.drawing != "embeddings" and "embeds" in self.model_fields_set:
            raise ValueError("embeds is of drawing 'embeddings': leave it out")
        if self.part == "train" and not self.needs.inspects:
            raise ValueError("part is of drawings that inspect runs: leave it out")
        if self.classes and not self.needs.classes:
            raise ValueError("classes are of drawings of classes: leave them out")
        if self.pool and self.drawing and not self.needs.pools:
            raise ValueError(f"drawing '{self.drawing}' shows single runs: leave out 'pool'")
        if self.average_without and not self.average:
            raise ValueError("average_without needs average: true")
        return self

    @model_validator(mode="after")
    def _computed_has_its_rows(self):
        if self.computed is None:
            return self
        vary = COMPUTED[self.computed]
        takes = {"blocks"} if vary == "attributes" else set()  # a table for each data set
        allowed = takes | ({"columns"} if self.trains_beside else set())
        for key in ("columns", "blocks", "pool", "average", *([] if vary else ["rows"])):
            if getattr(self, key) and key not in allowed:
                raise ValueError(f"computed '{self.computed}' takes no {key}: leave it out")
        if vary and (self.rows is None or self.rows.vary != vary):
            raise ValueError(f"computed '{self.computed}' needs rows that vary {vary}")
        if takes and (self.blocks is None or self.blocks.vary != "dataset"):
            raise ValueError(f"computed '{self.computed}' needs blocks that vary dataset")
        if (self.computed == "gains") != bool(self.gains and self.between):
            raise ValueError("computed 'gains' names its gains and what they are between, and nothing else does")
        if self.computed == "search_weights" and not self.published:
            raise ValueError("computed 'search_weights' needs a file under 'published'")
        return self

    @model_validator(mode="after")
    def _searches_have_a_backbone(self):
        if self.shows_searches and "backbone" not in self.fixed:
            raise ValueError("it shows searches: name their backbone under 'fixed'")
        return self

    @model_validator(mode="after")
    def _each_setting_is_said_once(self):
        for name, axis in self.axes.items():
            for key in self.fixed:
                if axis.sets(key):
                    raise ValueError(f"fixed: '{key}' is set by {name}: leave it out of one")
        vary = [axis.vary for axis in self.axes.values()]
        twice = next((key for key in vary if vary.count(key) > 1), None)
        if twice:
            raise ValueError(f"two of {', '.join(self.axes)} vary {twice}: each takes another setting")
        return self


class NamedTeacher(Model):
    """Of a row of students: the paper's row that trains it, and on which backbone."""

    method: Id
    backbone: Line


class PaperMethod(Model):
    """A row of a paper: which method (None: its published numbers alone), with which options, and where these were
    read. teacher: of a method that learns from one."""

    label: Line
    method: str | None
    options: dict[str, JsonValue] = {}
    training: dict[str, JsonValue] = {}
    images: dict[str, JsonValue] = {}
    teacher: NamedTeacher | None = None
    source: Line

    @model_validator(mode="after")
    def _printed_numbers_have_no_settings(self):
        said = [key for key in ("options", "training", "images") if getattr(self, key)]
        if self.method is None and said:
            raise ValueError(f"method is null, which trains nothing: leave out {', '.join(said)}")
        return self


class Adjustment(Model):
    """Settings of a paper that hold for some cells only: where each key of ``when`` (dataset, backbone, method,
    protocol or a choice of the paper) has one of its values, ``set`` holds (``options.inner``, ``training.batch_size``,
    …, or ``dataset``, whose images are taken), unless an artefact or a scale says otherwise."""

    when: dict[str, DifferentNames]
    set: Annotated[dict[str, JsonValue], Field(min_length=1)]

    def applies(self, cell: Mapping[str, JsonValue]) -> bool:
        return all(cell.get(key) in values for key, values in self.when.items())

    def known(self, options: Container[str]) -> dict[str, JsonValue]:
        """What it sets of a method that has these options."""
        return {
            path: value
            for path, value in self.set.items()
            if not path.startswith("options.") or path.removeprefix("options.") in options
        }


class Switch(Model):
    """One quirk of the released code that changes numbers."""

    published: JsonValue
    repaired: JsonValue
    evidence: Line


class Choice(Model):
    """A point on which a paper's text, its released code and the origin of its printed digits differ. values: by name,
    what each means, with its evidence. The configuration takes another one than the default for all cells, a cell for
    itself."""

    default: str
    values: dict[str, Line]

    @model_validator(mode="after")
    def _default_is_a_value(self):
        if self.default not in self.values:
            raise ValueError(f"default: {unknown('value', self.default, self.values)}")
        return self


class SearchSettings(Model):
    """How a paper searches attributes: switches as published and repaired, the rest as ``SearchSpec``.

    validation_images: of data sets without a validation part.
    """

    epochs: Switch
    context: Whole
    batch_size: Whole
    validation_batch: Whole
    lr: Rate
    weight_lr: Rate
    sizes: Switch
    validation: Switch
    validation_images: Switch

    @property
    def switches(self) -> dict[str, Switch]:
        """Those among the settings, by name."""
        return {key: value for key, value in self if isinstance(value, Switch)}

    def settings(self, fidelity: FidelityName) -> dict[str, JsonValue]:
        return self.model_dump() | {key: getattr(switch, fidelity) for key, switch in self.switches.items()}


class Paper(Model):
    """workflow/papers/<paper>/protocol.yaml. searches_as: the paper whose way of searching attributes is this one's."""

    id: Id
    title: Line
    venue: Line
    code: Line
    order: Annotated[int, BeforeValidator(no_switch)]
    selection: Selection
    selection_source: Line
    datasets: DifferentNames
    attributes: str | None = None
    protocol: ProtocolName
    shots: Whole | None = None
    seeds: Seeds
    images: Images = Images()
    training: Training
    training_source: Line
    adjust: tuple[Adjustment, ...] = ()
    methods: Annotated[dict[Id, PaperMethod], Field(min_length=1)]
    search: SearchSettings | None = None
    searches_as: Id | None = None
    choices: dict[Id, Choice] = {}
    fidelity: dict[str, Switch] = {}

    @model_validator(mode="after")
    def _labels_tell_methods_apart(self):
        labels = [method.label for method in self.methods.values()]
        twice = next((label for label in labels if labels.count(label) > 1), None)
        if twice:
            raise ValueError(
                f"two methods have label '{twice}', by which published numbers are found: give each its own"
            )
        return self

    def switches(self, name: FidelityName) -> Fidelity:
        return Fidelity(**{key: getattr(switch, name) for key, switch in self.fidelity.items()})


class Substitutes(Model):
    """What a scale puts in the place of what a paper declares.

    datasets: where an artefact takes all; None: the paper's. dataset_substitutes, backbones: the published one to its
    substitute, None leaves it out, and what is not named stays; of several with the same substitute the first is shown.
    without: by setting, values of axes that are left out. fraction: of the training images. evaluate_every: epochs
    between the tests of which a paper reports the best. training, search: over every setting of the paper. adjust: over
    this, for some cells.
    """

    datasets: DifferentNames | None = None
    dataset_substitutes: dict[str, str | None] = {}
    backbones: dict[str, str | None] = {}
    attributes: dict[str, str] = {}
    without: dict[str, Annotated[tuple[JsonValue, ...], Field(min_length=1), AfterValidator(_all_different)]] = {}
    fraction: Annotated[Number, Field(gt=0, le=1)] | None = None
    evaluate_every: Whole = 1
    training: dict[str, JsonValue] = {}
    search: dict[str, JsonValue] = {}
    adjust: tuple[Adjustment, ...] = ()


class Scale(Model):
    """workflow/scales/<scale>.yaml: what stands in for data sets, backbones, seeds and epochs.

    papers: by id, what takes the place of what it declares. others: the same of a paper that has no entry; None leaves
    it as published.
    """

    name: Id
    title: Line
    seeds: Seeds | None = None
    runs_per_job: Count
    threads: Count
    world_seed: Seed = Field(0, description="draws the mini world's target sets, and splits that were never published")
    device: Device
    papers: dict[Id, Substitutes] = {}
    others: Substitutes | None = None
    shots: Whole | None = Field(None, description="of few-shot protocols")
    compares: bool = Field(description="whether cells may stand beside published numbers")
    downloads: bool = Field(True, description="whether data, weights and sentences may be fetched")

    def substitutes(self, paper: str) -> Substitutes | None:
        """What takes the place of what a paper declares; None where nothing does."""
        return self.papers.get(paper, self.others)
