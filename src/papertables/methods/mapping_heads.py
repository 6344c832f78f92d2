"""From a frozen backbone's features to the logits of target classes: by a label mapping that is made from
statistics of the training set, or by a trained layer."""

import torch
from torch import Tensor, nn

from papertables.base.errors import UserError
from papertables.methods import mappings
from papertables.methods.seeding import seeded
from papertables.methods.sources import LinearSource, PromptSource

Source = LinearSource | PromptSource
RULES = ("random", "one_to_one", "bayesian", "bayesian_topk", "shares", "shares_topk")
REFRESHES = ("once", "epoch", "fast")


class MappingHead(nn.Module):
    """Target logits by a label mapping that is not trained but made, by ``rule``, from source logits.

    | rule          | once | epoch | fast       | forward                             |
    |---------------|------|-------|------------|-------------------------------------|
    | random        | RLM  | RLM   | RLM        | logits of the C labels ``sequence`` |
    | one_to_one    | FLM  | ILM   | ILM, fast  | logits of the C labels ``sequence`` |
    | bayesian      |      | BLM   | BLM, fast  | source logits @ ``matrix`` (S, C)   |
    | bayesian_topk |      | BLM+  | BLM+, fast | source logits @ ``matrix`` (S, C)   |

    ``shares`` and ``shares_topk`` are BLM and BLM+ without the division by row sums.

    Before epoch e (from 1): where ``due(e)``, a pass of ``observe`` over the training set and then ``remap``;
    else, where ``observes``, only ``remap``. While training, where ``observes``, ``observe`` for every
    batch, with the features that the step itself computed. Until the first ``remap`` the mapping is that of
    empty statistics.

    lam: λ of the Bayesian rules. ratio: of BLM+'s k to C. seed: of the random rule.
    Raises UserError for an unknown rule or refresh, and where a one-to-one rule has more classes than labels.
    """

    def __init__(
        self, source: Source, classes: int, rule: str, refresh: str, seed: int, lam: float = 1.0, ratio: float = 0.15
    ):
        super().__init__()
        if rule not in RULES or refresh not in REFRESHES:
            raise UserError(
                f"label mapping {rule}, made {refresh}: the rule must be one of {', '.join(RULES)} "
                f"and made one of {', '.join(REFRESHES)}"
            )
        self.source, self.rule, self.refresh = source, rule, refresh
        self.observes = refresh == "fast" and rule != "random"
        self.lam, self.seed, self.k = lam, seed, mappings.topk_size(classes, ratio)
        # They outlive an epoch only where training itself is observed.
        self.register_buffer("statistics", torch.zeros(source.labels, classes), persistent=self.observes)  # (S, C)
        self.name = "sequence" if rule in ("random", "one_to_one") else "matrix"
        self.register_buffer(self.name, self._mapping())

    def forward(self, features: Tensor) -> Tensor:
        """(B, D) to (B, C)."""
        if self.name == "sequence":
            return self.source(features, self.sequence)
        return self.source(features) @ self.matrix

    @property
    def mapping(self) -> Tensor:
        """Source labels (C,) or weights (S, C)."""
        return self.get_buffer(self.name)

    def due(self, epoch: int) -> bool:
        """Whether a pass over the training set is needed before ``epoch``, from 1."""
        return self.rule != "random" and (epoch == 1 or self.refresh == "epoch")

    @torch.no_grad()
    def observe(self, features: Tensor, labels: Tensor) -> None:
        """Adds a batch to the statistics. features: (B, D), labels: (B,)."""
        logits = self.source(features.float())
        if self.rule.endswith("topk"):
            mappings.add_topk(self.statistics, logits, labels, self.k)
        else:
            mappings.add_frequency(self.statistics, logits, labels)

    @torch.no_grad()
    def remap(self) -> None:
        """The mapping of what was observed; forgets it."""
        self.mapping.copy_(self._mapping())
        self.statistics.zero_()

    def _mapping(self) -> Tensor:
        """What the statistics give: source labels (C,) or weights (S, C)."""
        match self.rule:
            case "random":
                return mappings.random_mapping(*self.statistics.shape, self.seed)
            case "one_to_one":
                return mappings.one_to_one(self.statistics)
            case "bayesian" | "bayesian_topk":
                return mappings.bayesian(self.statistics, self.lam)
            case _:
                return mappings.shares(self.statistics)

    def summary(self, top: int = 1) -> tuple[Tensor, Tensor]:
        """The heaviest source labels of each class and their weights, (C, top) each; one label of weight 1
        for one-to-one rules."""
        if self.name == "sequence":
            return self.sequence[:, None], torch.ones_like(self.sequence[:, None], dtype=torch.float)
        weights, sources = self.matrix.topk(min(top, len(self.matrix)), dim=0)  # (top, C) each
        return sources.T, weights.T


class LearnedMapping(nn.Module):
    """Target logits by a trained layer without bias over source logits, its weights (C, S) ``plain`` or
    through a ``sigmoid``. Raises UserError for another mode."""

    def __init__(self, source: Source, classes: int, mode: str, seed: int):
        super().__init__()
        if mode not in ("plain", "sigmoid"):
            raise UserError(f"learned label mapping with weights {mode}: they must be plain or sigmoid")
        self.source, self.mode = source, mode
        with seeded(seed):
            self.weight = nn.Linear(source.labels, classes, bias=False).weight  # (C, S)

    def forward(self, features: Tensor) -> Tensor:
        """(B, D) to (B, C)."""
        weight = self.weight.sigmoid() if self.mode == "sigmoid" else self.weight
        return self.source(features) @ weight.T


class LastLayer(nn.Module):
    """A new, trained last layer on the features (SMM, table 14)."""

    def __init__(self, features: int, classes: int, seed: int):
        super().__init__()
        with seeded(seed):
            self.linear = nn.Linear(features, classes)

    def forward(self, features: Tensor) -> Tensor:
        """(B, D) to (B, C)."""
        return self.linear(features)
