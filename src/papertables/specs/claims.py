"""What a paper claims, as comparisons of cells: workflow/papers/<paper>/claims.yaml.

Cells are named by the keys of an artefact's axes: ids of methods, data sets and backbones as the paper has them, else
the labels that its file gives.
"""

from typing import Annotated, Literal

from pydantic import Field

from papertables.specs.config import DifferentNames, Id, Line
from papertables.specs.spec import Model, NotNegative, Number, Rate, Whole

Share = Annotated[Number, Field(gt=0, le=1)]


class Cells(Model):
    """Of which artefact a comparison is. block: the one that its rows stand in, where rows are repeated. at: keys of
    the axis that it is averaged over; none: all but those that the artefact's averages leave out."""

    artefact: Id
    block: Line | None = None
    at: DifferentNames | None = None

    @property
    def named(self) -> tuple[str, ...]:
        """Keys of the axis whose values are compared."""
        raise NotImplementedError

    @property
    def keys(self) -> tuple[str, ...]:
        """The same with their block."""
        return tuple(f"{self.block}.{name}" if self.block else name for name in self.named)

    @property
    def is_ordering(self) -> bool:
        """Whether it asks which is more, and not by how much."""
        return True


class One(Cells):
    of: Line

    @property
    def named(self) -> tuple[str, ...]:
        return (self.of,)


class Pairs(One):
    """over: each of them is compared with ``of``."""

    over: DifferentNames

    @property
    def named(self) -> tuple[str, ...]:
        return (self.of, *self.over)


class Above(Pairs):
    """The mean of the one is above that of each other; by at least ``by`` points, where it is not 0."""

    kind: Literal["above"]
    by: Number = 0.0

    @property
    def is_ordering(self) -> bool:
        return self.by == 0


class Sets(Pairs):
    """The one is above each other on at least so many data sets; ``most``: on more than half."""

    kind: Literal["sets"]
    least: Whole | Literal["most"] = "most"

    @property
    def is_ordering(self) -> bool:
        return self.least == "most"


class Times(Pairs):
    """The mean of the one is at most so many times that of each other."""

    kind: Literal["times"]
    at_most: Rate = 1.0

    @property
    def is_ordering(self) -> bool:
        return self.at_most == 1


class Kept(Pairs):
    """Of the gain over each other at the epochs that are best on the test set, a share is there at the last."""

    kind: Literal["kept"]
    share: Share


class NearBest(One):
    """The mean of the one is within one deviation, over seeds, of the best of its axis."""

    kind: Literal["near_best"]


class Level(One):
    """The mean is at most so much."""

    kind: Literal["level"]
    at_most: NotNegative

    @property
    def is_ordering(self) -> bool:
        return False


class Spread(Cells):
    """The means of some are at most so much apart."""

    kind: Literal["spread"]
    among: Annotated[DifferentNames, Field(min_length=2)]
    at_most: NotNegative

    @property
    def named(self) -> tuple[str, ...]:
        return self.among

    @property
    def is_ordering(self) -> bool:
        return False


Comparison = Annotated[Above | Sets | Times | Kept | NearBest | Level | Spread, Field(discriminator="kind")]


class Claim(Model):
    """words: as the paper says it. place: where. reading: ours, where the place is not in the paper. note: what else is
    ours, such as a bound that the words do not name. holds_if: all of them."""

    words: Line
    place: Line
    reading: bool = False
    note: Line | None = None
    holds_if: Annotated[tuple[Comparison, ...], Field(min_length=1)]

    @property
    def is_read(self) -> bool:
        """Whether anything of it is our reading."""
        return self.reading or self.note is not None


class Claims(Model):
    """The claims of a paper, in the order in which they are told."""

    claims: Annotated[dict[Id, Claim], Field(min_length=1)]
