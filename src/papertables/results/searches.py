"""What a search for attributes left: the weight of every combination over the epochs, and the winner."""

from pathlib import Path

from pydantic import ValidationError, model_validator

from papertables.errors import UserError
from papertables.spec import Combination, Model, SearchSpec


class SearchResult(Model):
    """weights: of every combination after every epoch, each row sums to 1, (epochs, combinations). train_loss and
    validation_loss: means per epoch. data, backbone: SHA-256 of what was searched on and with."""

    spec: SearchSpec
    combinations: tuple[Combination, ...]
    weights: tuple[tuple[float, ...], ...]
    train_loss: tuple[float, ...]
    validation_loss: tuple[float, ...]
    seconds: float
    data: str
    backbone: str

    @model_validator(mode="after")
    def _shapes_agree(self):
        if any(len(row) != len(self.combinations) for row in self.weights) or not self.weights:
            raise ValueError("every epoch has one weight per combination")
        return self

    @property
    def last(self) -> tuple[float, ...]:
        """The weights after the last epoch."""
        return self.weights[-1]

    @property
    def winner(self) -> Combination:
        """The heaviest combination after the last epoch."""
        return self.combinations[self.last.index(max(self.last))]


def read_search(path: Path) -> SearchResult:
    """Raises UserError for a file that is none."""
    try:
        return SearchResult.model_validate_json(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such result of an attribute search") from None
    except ValidationError as error:
        raise UserError(f"{path}: no result of an attribute search ({error.errors()[0]['msg']}): delete it") from None
