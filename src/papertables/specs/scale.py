"""Models of what a scale's file may say: what it puts in the place of what papers declare."""

from typing import Annotated

from pydantic import AfterValidator, Field, JsonValue

from papertables.specs.config import Count, Device, DifferentNames, Id, Line, Seed, Seeds, all_different
from papertables.specs.paper import Adjustment
from papertables.specs.spec import Model, Number, Whole


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
    without: dict[str, Annotated[tuple[JsonValue, ...], Field(min_length=1), AfterValidator(all_different)]] = {}
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
