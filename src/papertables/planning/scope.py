"""A paper with what the scale puts in its place, resolved once: everything that plans or tells asks it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from pydantic import JsonValue

from papertables.backbones.catalog import Backbone, backbone
from papertables.base.errors import UserError
from papertables.data.own import own_datasets
from papertables.planning.settings import Layer, Settings
from papertables.specs.config import PUBLISHED, Config
from papertables.specs.paper import Paper
from papertables.specs.scale import Scale, Substitutes
from papertables.specs.spec import Fidelity


class NotAtScale(UserError):
    """The scale has nothing that could stand in for what the artefact shows."""


@dataclass(frozen=True)
class Scope:
    """One paper at a scale, under a configuration. own_seeds: of the artefact that is planned, where it names some."""

    paper: Paper
    scale: Scale
    config: Config
    own_seeds: tuple[int, ...] | None = None

    @cached_property
    def published(self) -> "Scope":
        """The same paper with nothing substituted: what it declares."""
        return replace(
            self, scale=self.scale.model_copy(update={"papers": {}, "others": None, "shots": None, "compares": True})
        )

    @property
    def substitutes(self) -> Substitutes | None:
        """None where nothing is substituted."""
        return self.scale.substitutes(self.paper.id)

    @property
    def datasets(self) -> tuple[str, ...]:
        """What an artefact shows that takes all data sets."""
        return (self.substitutes and self.substitutes.datasets) or self.paper.datasets

    @property
    def seeds(self) -> tuple[int, ...]:
        return self.config.seeds or self.own_seeds or self.scale.seeds or self.paper.seeds

    @property
    def shots(self) -> int | None:
        """How many images of each class few-shot protocols train on, where a cell does not say."""
        return self.scale.shots or self.paper.shots

    @property
    def fraction(self) -> float | None:
        """The share of the training images that is used; None: all of them."""
        return self.substitutes.fraction if self.substitutes else None

    @property
    def evaluate_every(self) -> int:
        """Epochs between tests, where the best is shown."""
        return self.substitutes.evaluate_every if self.substitutes else 1

    def dataset(self, name: str) -> str | None:
        """What stands in for a published data set: itself where none is declared, None where it is left out."""
        return self.substitutes.dataset_substitutes.get(name, name) if self.substitutes else name

    def backbone(self, name: str) -> Backbone | None:
        """What stands in for a published backbone: itself where none is declared, None where it is left out."""
        substitute = self.substitutes.backbones.get(name, name) if self.substitutes else name
        return backbone(substitute) if substitute else None

    def sentences(self, source: str | None, name: str) -> str | None:
        """What stands in for a source of sentences; where none is named, for the configuration's, that of the data set
        where it is the user's, or the paper's."""
        configured = None if self.config.sentences == PUBLISHED else self.config.sentences
        own = own_datasets().get(name)
        source = source or configured or (own.sentences if own else self.paper.attributes)
        return self.substitutes.attributes.get(source, source) if self.substitutes else source

    def leaves_out(self, settings: Mapping[str, JsonValue]) -> bool:
        """Whether a value of an axis is left out: named by the scale, or with nothing but published numbers, which
        would stand for other data."""
        method = self.paper.methods.get(settings.get("method"))
        if method is not None and method.method is None and not self.scale.compares:
            return True
        without = self.substitutes.without if self.substitutes else {}
        return any(settings.get(key) in values for key, values in without.items())

    @property
    def choices(self) -> dict[str, str]:
        """What is chosen, where a cell does not say."""
        return {name: self.config.choices.get(name, choice.default) for name, choice in self.paper.choices.items()}

    def images_of(self, cell: Mapping[str, JsonValue]) -> str:
        """The data set whose images a cell takes: its own, unless an adjustment of the paper sets another."""
        setting = [each for each in self.paper.adjust if "dataset" in each.set and each.applies(cell)]
        return setting[-1].set["dataset"] if setting else cell["dataset"]

    def fidelity(self, name: str | None) -> Fidelity:
        """The switches of the paper, all of them."""
        return self.paper.switches(name or self.config.fidelity)

    @cached_property
    def _general(self) -> Layer:
        """What the paper says of all its cells."""
        return Layer("paper", self.paper.model_dump(include={"training", "images"}))

    def settings(self, defaults: Mapping[str, JsonValue], cell: Mapping[str, JsonValue]) -> Settings:
        """The settings of a cell: what is said of its method wins over what a paper or a scale says in general, what
        the cell says over all. defaults: the options of its method."""
        row, general, special = self.paper.methods[cell["method"]], [], []
        scale, paper = f"workflow/scales/{self.scale.name}.yaml", f"workflow/papers/{self.paper.id}/protocol.yaml"
        if self.substitutes:
            adjusting = [each for each in self.substitutes.adjust if each.applies(cell)]
            layers = [("method" in each.when, Layer("scale", each.known(defaults), scale)) for each in adjusting]
            general = [layer for names_methods, layer in layers if not names_methods]
            general.insert(0, Layer("scale", {"training": self.substitutes.training}, scale))
            special = [layer for names_methods, layer in layers if names_methods]
        return Settings(
            (
                Layer("method", {"options": dict(defaults)}),
                self._general,
                *general,
                Layer("paper", {"options": row.options, "training": row.training, "images": row.images}, paper),
                *(Layer("paper", each.known(defaults), paper) for each in self.paper.adjust if each.applies(cell)),
                *special,
                Layer("cell", dict(cell)),
            )
        )
