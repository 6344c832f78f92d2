"""Seconds of the text tower in one step of the attribute search: combinations of as many attributes packed into one
forward, as our search does, beside a loop with a forward for each, as in the released trainer.

Both compute the same gradients through the shipped mini CLIP, for every combination of five bases and some numbers of
classes, on one thread.

python benchmarks/search.py
"""

import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from papertables.backbones import load_tower
from papertables.backbones.catalog import backbone
from papertables.backbones.mini import WEIGHTS
from papertables.training.search import Search, all_combinations

BACKBONE = "mini-vit"
BASES = ("color", "season", "luxury", "shape", "flavor")
CONTEXT, IMAGES = 4, 32
CLASSES = (2, 6, 25, 50)
REPEATS = 3


def packed(learner: Search, tower) -> Tensor:
    return torch.cat([tower.encode_prompts(learner.prompts(own)) for own in learner.calls()])


def looped(learner: Search, tower) -> Tensor:
    return torch.cat([tower.encode_prompts(learner.prompts([number])) for number in range(len(learner.weights))])


def step(encode: Callable, learner: Search, tower, features: Tensor, labels: Tensor) -> tuple[float, Tensor]:
    """The fewest seconds, and the gradient of the contexts."""
    seconds = []
    for _ in range(REPEATS):
        learner.zero_grad()
        began = time.perf_counter()
        F.cross_entropy(learner.logits(features, encode(learner, tower)), labels).backward()
        seconds.append(time.perf_counter() - began)
    return min(seconds), learner.vectors.grad.clone()


def main() -> None:
    torch.set_num_threads(1)
    entry = backbone(BACKBONE)
    tower = load_tower(entry, WEIGHTS / entry.file, "cpu")
    combinations = all_combinations(BASES)
    print(f"cpu: {len(combinations)} combinations, {CONTEXT} context tokens, {BACKBONE}")
    print(f"{'classes':>8}{'loop':>10}{'packed':>10}{'ratio':>8}")
    for count in CLASSES:
        names = [f"red spot {number}" for number in range(count)]
        learner = Search(tower.text, tower.logit_scale, names, combinations, CONTEXT)
        stream = torch.Generator().manual_seed(0)
        features = torch.randn(IMAGES, tower.model.text_projection.shape[1], generator=stream)
        labels = torch.randint(count, (IMAGES,), generator=stream)
        step(packed, learner, tower, features, labels)  # warms up
        slow, expected = step(looped, learner, tower, features, labels)
        fast, found = step(packed, learner, tower, features, labels)
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-6)
        print(f"{count:8}{slow:8.3f} s{fast:8.3f} s{slow / fast:8.1f}", flush=True)


if __name__ == "__main__":
    main()
