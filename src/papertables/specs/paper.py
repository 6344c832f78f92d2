"""Models of what a paper's protocol.yaml may say: its methods, how they are trained, and on what its sources differ."""

from collections.abc import Container, Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field, JsonValue, model_validator

from papertables.base.errors import unknown
from papertables.specs.config import DifferentNames, FidelityName, Id, Line, Seeds, Selection
from papertables.specs.spec import Fidelity, Images, Model, ProtocolName, Rate, Training, Whole, no_switch


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
