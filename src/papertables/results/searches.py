"""What a search for attributes left: the weight of every combination over the epochs, and the winner."""

from collections.abc import Iterator, Sequence
from itertools import chain, combinations
from pathlib import Path

from pydantic import ValidationError, model_validator

from papertables.base.errors import UserError, reason
from papertables.base.seals import MEND, Broken, unsealed_json
from papertables.results.metrics import Digest, NonNegative, Positive
from papertables.specs.spec import Combination, Model, SearchSpec

MORE_THAN = {"any": 0, "three_or_more": 2}
ROUNDING = 1e-3  # of the sum of many weights in fp32


def all_combinations(bases: Sequence[str], sizes: str = "any") -> tuple[Combination, ...]:
    """The combinations of bases in increasing size: of ``any`` size (31 of five bases), or ``three_or_more`` as in
    the released file (16)."""
    return tuple(chain.from_iterable(combinations(bases, n) for n in range(MORE_THAN[sizes] + 1, len(bases) + 1)))


class SearchResult(Model):
    """weights: of every combination after every epoch, each row sums to 1, (epochs, combinations). train_loss and
    validation_loss: means per epoch. data, backbone: SHA-256 of what was searched on and with."""

    spec: SearchSpec
    combinations: tuple[Combination, ...]
    weights: tuple[tuple[NonNegative, ...], ...]
    train_loss: tuple[NonNegative, ...]
    validation_loss: tuple[NonNegative, ...]
    seconds: Positive
    data: Digest
    backbone: Digest

    @model_validator(mode="after")
    def _consistent(self):
        for problem in self._problems():
            raise ValueError(problem)
        return self

    def _problems(self) -> Iterator[str]:
        """What cannot be of this search."""
        if self.combinations != all_combinations(self.spec.bases, self.spec.sizes):
            yield "the combinations are not those of its bases"
        if any(len(values) != self.spec.epochs for values in (self.weights, self.train_loss, self.validation_loss)):
            yield f"weights and losses must be of {self.spec.epochs} epochs"
        if any(len(row) != len(self.combinations) for row in self.weights):
            yield "every epoch has one weight per combination"
        if any(abs(sum(row) - 1) > ROUNDING for row in self.weights):
            yield "the weights of an epoch do not sum to 1"

    @property
    def last(self) -> tuple[float, ...]:
        """The weights after the last epoch."""
        return self.weights[-1]

    @property
    def winner(self) -> Combination:
        """The heaviest combination after the last epoch."""
        return self.combinations[self.last.index(max(self.last))]


def read_search(path: Path) -> SearchResult:
    """Raises UserError for a file that is none, or that is of another search than its place says."""
    try:
        found = SearchResult.model_validate_json(unsealed_json(path.read_bytes()))
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such result of an attribute search") from None
    except Broken as error:
        raise _unsound(path, str(error)) from None
    except ValidationError as error:
        raise _unsound(path, reason(error)) from None
    if path.parts[-3:] != (found.spec.dataset, found.spec.backbone, f"{found.spec.id}.json"):
        raise _unsound(path, f"it is of {found.spec.dataset}/{found.spec.backbone}/{found.spec.id}")
    return found


def _unsound(path: Path, why: str) -> UserError:
    return UserError(f"{path}: no result of an attribute search ({why}): {MEND}")
