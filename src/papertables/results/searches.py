"""What a search for attributes left: the weight of every combination over the epochs, and the winner."""

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from papertables.errors import UserError
from papertables.spec import Model, digest

Combination = tuple[str, ...]


class SearchSpec(Model):
    """One search, all that is known when planning. Seeds draw the few-shot images and the first weights.

    sizes: the released file keeps ``three_or_more`` attributes together, the published answers need ``any``.
    validation: the released loop trains the weights on the ``first_batch`` of validation images alone; ``cycle`` goes
    through all of them.
    """

    dataset: str
    backbone: str
    seed: int
    bases: Combination
    shots: int = 16
    epochs: int = Field(40, ge=1)
    context: int = Field(4, ge=1)  # tokens, of the class and of each attribute
    batch_size: int = Field(32, ge=1)
    validation_batch: int = Field(100, ge=1)
    lr: float = 0.002  # of the contexts, SGD
    weight_lr: float = 0.02  # of the weights, Adam
    sizes: Literal["any", "three_or_more"] = "any"
    validation: Literal["first_batch", "cycle"] = "first_batch"
    attribute_tokens: Literal["first", "all"] = "first"
    few_shot_draw: Literal["shared", "per_seed"] = "per_seed"
    shared_seed: int = 1

    @model_validator(mode="after")
    def _something_to_search(self):
        least = 3 if self.sizes == "three_or_more" else 1
        if len(self.bases) < least:
            raise ValueError(f"sizes '{self.sizes}' needs at least {least} bases, there are {len(self.bases)}")
        return self

    @property
    def id(self) -> str:
        return f"seed{self.seed}-{digest(self.model_dump(mode='json'))}"

    @property
    def draw_seed(self) -> int:
        """The seed whose few-shot images it searches on."""
        return self.shared_seed if self.few_shot_draw == "shared" else self.seed


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
        return SearchResult.model_validate_json(path.read_text())
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such result of an attribute search") from None
    except ValidationError as error:
        raise UserError(f"{path}: no result of an attribute search ({error.errors()[0]['msg']}): delete it") from None
