"""Models of what an artefact's file may say: a table or figure, its axes and its published numbers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, StrictFloat, StrictInt, model_validator

from papertables.base.errors import unknown
from papertables.specs.config import DifferentNames, Id, Line, Measure, Seeds, Selection, all_different
from papertables.specs.drawings import DRAWINGS, Drawing
from papertables.specs.spec import Model, ShownPart

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


def _varied(name: str) -> str:
    if name not in VARIED and not name.startswith(("options.", "training.")):
        raise ValueError(unknown("setting", name, [*VARIED, "options.…", "training.…"]))
    return name


def _file_name(name: str) -> str:
    if Path(name).name != name or not name.endswith(".csv"):
        raise ValueError("it must be the name of a .csv file in the paper's folder 'published', without a path")
    return name


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
        Literal["all"] | Annotated[tuple[AxisValue, ...], Field(min_length=1), AfterValidator(all_different)],
        BeforeValidator(_list_or_all),
    ] = "all"
    without: Annotated[tuple[str, ...], AfterValidator(all_different)] = ()

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
    quantities: Annotated[tuple[Quantity, ...], Field(min_length=1), AfterValidator(all_different)] = Field(
        ("test_accuracy", "train_loss"), description="of curves"
    )
    part: ShownPart = Field("test", description="of a drawing that inspects runs: on which images it shows them")
    embeds: Literal["features", "source_logits"] = Field(
        "features", description="of embeddings: what is projected; source logits are of classifiers"
    )
    classes: Annotated[tuple[Line, ...], AfterValidator(all_different)] = Field(
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
    average_without: Annotated[tuple[str, ...], AfterValidator(all_different)] = Field(
        (), description="data sets, or targets, that the average leaves out"
    )
    fixed: dict[str, JsonValue] = {}
    between: Literal["selection", "fidelity"] | None = Field(None, description="of computed 'gains': what differs")
    gains: Annotated[tuple[Gain, ...], AfterValidator(all_different)] = Field(
        (), description="of computed 'gains': its rows, from other artefacts"
    )
    empty: tuple[dict[str, DifferentNames], ...] = Field(
        (), description="cells that there are not: where each key has one of its values"
    )
    seeds: Seeds | None = Field(None, description="in place of the scale's or the paper's")
    selection: Selection | None = None
    published: Annotated[tuple[Published, ...], AfterValidator(all_different)] = ()

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
