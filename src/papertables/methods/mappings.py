"""Label mappings: from the logits of S source labels to C target classes, knowing nothing of images.

What a mapping is made from are statistics (S, C), collected batch by batch: ``add_frequency`` (FLM, ILM, BLM)
or ``add_topk`` (BLM+), which both start from ``torch.zeros(S, C)``. Classes are numbers below C, whether
they occur or not. Everything works on any device.
"""

import torch
from torch import Tensor

from papertables.base.errors import UserError


def add_frequency(counts: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
    """Adds, for each sample, 1 to (its largest source logit, its class); returns ``counts``.

    counts: (S, C), changed in place. logits: (N, S), labels: (N,). Among equal logits the first counts.
    """
    return counts.index_put_((logits.max(1).indices, labels), counts.new_ones(()), accumulate=True)


def add_topk(sums: Tensor, logits: Tensor, labels: Tensor, k: int) -> Tensor:
    """Adds each sample's k largest softmax probabilities to its class; returns ``sums`` (BLM, section 4, BLM+).

    sums: (S, C), changed in place. logits: (N, S), labels: (N,). k above S means all S.
    """
    values, sources = logits.float().softmax(1).topk(min(k, logits.shape[1]))  # (N, k) each
    return sums.index_put_((sources, labels[:, None].expand_as(sources)), values.to(sums.dtype), accumulate=True)


def topk_size(classes: int, ratio: float) -> int:
    """k of BLM+ for C classes: int(ratio · C), at least 1.

    The released code has no least value: with its ratio 0.15 and fewer than 7 classes k is 0 and the matrix NaN.
    """
    return max(1, int(ratio * classes))


def one_to_one(counts: Tensor) -> Tensor:
    """The source label of each target class, (C,): greedily the largest entry, whose row and column are struck.

    counts: (S, C), left as it is. Ties: the first in row-major order. Zero counts are assigned too: the
    lowest source labels left to the lowest classes left. Raises UserError where C > S.
    """
    labels, classes = counts.shape
    check_distinct(labels, classes)
    rows, columns = counts.nonzero(as_tuple=True)  # in row-major order
    order = counts[rows, columns].argsort(descending=True, stable=True)
    source_of: dict[int, int] = {}
    free = set(range(labels))
    for source, target in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if target not in source_of and source in free:
            source_of[target] = source
            free.remove(source)
            if len(source_of) == classes:
                break
    rest = iter(sorted(free))
    sequence = [source_of[target] if target in source_of else next(rest) for target in range(classes)]
    return torch.tensor(sequence, device=counts.device)


def bayesian(statistics: Tensor, lam: float) -> Tensor:
    """The weights (S, C) of BLM and BLM+: entries / (sum of their row + λ), then every column divided by its sum.

    statistics: (S, C), of ``add_frequency`` or ``add_topk``. λ ≥ 0. Target logits are source logits @ weights.
    Two cases in which the released code gives NaN: with λ = 0, a source label that was never predicted has
    weight 0; a class without samples has the weight 1 / S everywhere, so that its logit is the mean source
    logit. Every column sums to 1, hence a constant added to all source logits is added to all target logits.
    """
    totals = statistics.sum(1, keepdim=True) + lam  # (S, 1)
    return shares(statistics / totals.where(totals > 0, 1))


def shares(statistics: Tensor) -> Tensor:
    """Every column of (S, C) divided by its sum; one of zeros is 1 / S everywhere."""
    columns = statistics.sum(0)  # (C,)
    return (statistics / columns).where(columns > 0, 1 / len(statistics))


def random_mapping(labels: int, classes: int, seed: int) -> Tensor:
    """RLM: ``classes`` distinct of ``labels`` source labels, (C,). Raises UserError where C > S."""
    check_distinct(labels, classes)
    return torch.randperm(labels, generator=torch.Generator().manual_seed(seed))[:classes]


def check_distinct(labels: int, classes: int) -> None:
    if classes > labels:
        raise UserError(
            f"a one-to-one label mapping needs a source label per class, but there are {classes} classes and "
            f"{labels} source labels: take a Bayesian mapping or a backbone with more labels"
        )
