"""Seconds to make each label mapping from the source logits of a training set, beside the released algorithm.

The plain versions follow the released code's steps: they keep all N × S entries, count class by class, search
the whole matrix for every class of a one-to-one mapping, and gather top-k probabilities with a scatter over
all N × S entries. Ours works batch by batch. ``selection`` is what both need to find each sample's largest
logit, or its k largest probabilities, alone. With a GPU, logits and labels lie there, from where the plain
versions fetch what they work on, as the released code does.

python benchmarks/mapping.py [cuda]
"""

import sys
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from papertables.methods import mappings

SAMPLES, LABELS, CLASSES, BATCH = 50_000, 1_000, 400, 256
LAM, RATIO = 1.0, 0.15
K = mappings.topk_size(CLASSES, RATIO)
REPEATS = 3


def plain_frequency(logits: Tensor, labels: Tensor) -> Tensor:
    logits, labels = logits.cpu(), labels.cpu()
    hits = F.one_hot(logits.argmax(1), LABELS)  # (N, S)
    return torch.stack([hits[labels == number].sum(0) for number in range(CLASSES)], dim=1)


def plain_one_to_one(logits: Tensor, labels: Tensor) -> Tensor:
    counts, sequence = plain_frequency(logits, labels), torch.zeros(CLASSES, dtype=torch.long)
    for _ in range(CLASSES):
        source, target = divmod(counts.flatten().argmax().item(), CLASSES)
        sequence[target] = source
        counts[source] = -1
        counts[:, target] = -1
    return sequence


def plain_weights(statistics: Tensor) -> Tensor:
    weights = statistics / (statistics.sum(1, keepdim=True) + LAM)
    return weights / weights.sum(0)


def plain_bayesian(logits: Tensor, labels: Tensor) -> Tensor:
    return plain_weights(plain_frequency(logits, labels))


def plain_bayesian_topk(logits: Tensor, labels: Tensor) -> Tensor:
    kept = []
    for batch in logits.split(BATCH):
        values, sources = batch.softmax(1).topk(K)
        kept.append(torch.zeros_like(batch).scatter_(1, sources, values).cpu())
    sums = torch.zeros(CLASSES, LABELS).scatter_add_(0, labels.cpu()[:, None].expand(-1, LABELS), torch.cat(kept))
    return plain_weights(sums.T)


def counted(logits: Tensor, labels: Tensor) -> Tensor:
    counts = logits.new_zeros(LABELS, CLASSES)
    for batch, own in zip(logits.split(BATCH), labels.split(BATCH), strict=True):
        mappings.add_frequency(counts, batch, own)
    return counts


def one_to_one(logits: Tensor, labels: Tensor) -> Tensor:
    return mappings.one_to_one(counted(logits, labels))


def bayesian(logits: Tensor, labels: Tensor) -> Tensor:
    return mappings.bayesian(counted(logits, labels), LAM)


def bayesian_topk(logits: Tensor, labels: Tensor) -> Tensor:
    sums = logits.new_zeros(LABELS, CLASSES)
    for batch, own in zip(logits.split(BATCH), labels.split(BATCH), strict=True):
        mappings.add_topk(sums, batch, own, K)
    return mappings.bayesian(sums, LAM)


def largest(logits: Tensor, labels: Tensor) -> Tensor:
    return torch.cat([batch.max(1).indices for batch in logits.split(BATCH)])


def top_k(logits: Tensor, labels: Tensor) -> Tensor:
    return torch.cat([batch.softmax(1).topk(K).indices for batch in logits.split(BATCH)])


RULES: dict[str, tuple[Callable, Callable, Callable]] = {
    "one-to-one (FLM, ILM)": (plain_one_to_one, one_to_one, largest),
    "Bayesian (BLM)": (plain_bayesian, bayesian, largest),
    "Bayesian top-k (BLM+)": (plain_bayesian_topk, bayesian_topk, top_k),
}


def best(make: Callable, logits: Tensor, labels: Tensor) -> tuple[float, Tensor]:
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        made = make(logits, labels).cpu()
        seconds.append(time.perf_counter() - began)
    return min(seconds), made


def main(device: str) -> None:
    torch.set_num_threads(1)
    stream = torch.Generator().manual_seed(0)
    labels = torch.randint(CLASSES, (SAMPLES,), generator=stream)
    logits = 3 * torch.randn(CLASSES, LABELS, generator=stream)[labels]
    logits += torch.randn(SAMPLES, LABELS, generator=stream)
    logits, labels = logits.to(device), labels.to(device)
    best(top_k, logits, labels)  # warms up
    print(f"{device}: {SAMPLES} samples, {LABELS} source labels, {CLASSES} classes, k = {K}")
    print(f"{'':24}{'plain':>10}{'ours':>10}{'ratio':>8}{'selection':>11}")
    for name, (plain, ours, selection) in RULES.items():
        shared, _ = best(selection, logits, labels)
        slow, expected = best(plain, logits, labels)
        fast, made = best(ours, logits, labels)
        torch.testing.assert_close(made, expected)
        print(f"{name:24}{slow:8.3f} s{fast:8.3f} s{slow / fast:8.1f}{shared:9.3f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "cpu")
