"""The search for attributes against the released trainer."""

import re

import pytest
import torch

from papertables.training.search import Search, Searcher, all_combinations
from tests.parity.conftest import FOLDER

CASES = sorted(path.stem for path in FOLDER.glob("attribute_search*.json"))


def made(case, tower, prefix: str) -> Search:
    """With the vectors and weights of the case."""
    hyper, combinations = case.facts["hyper"], [tuple(each) for each in case.facts["combinations"]]
    names = [name.replace("_", " ") for name in case.facts["class_names"]]
    learner = Search(tower.text, tower.logit_scale, names, combinations, hyper["n_ctx"], hyper["n_att"])
    with torch.no_grad():
        learner.vectors.copy_(vectors(learner, case, prefix))
        learner.weights.copy_(case.tensors[f"{prefix.removeprefix('param.')}att_weight"])
    return learner


def vectors(learner: Search, case, prefix: str) -> torch.Tensor:
    return torch.cat([case.tensors[f"{prefix}prompt_learner.{theirs(*name)}"] for name in learner.names])


def first_context(learner: Search) -> torch.Tensor:
    """Of the class in the first combination."""
    parts = learner.vectors.detach().split([count for *_, count in learner.names])
    return next(part for part, (_, name, _) in zip(parts, learner.names, strict=True) if name == "context")


def theirs(combination: int, name: str, _: int) -> str:
    if name == "context":
        return f"ctx_list.{combination}"
    return f"att_ctx_list.{combination}.{int(re.search(r'[0-9]+$', name)[0]) - 1}"


def encoded(tower, images: torch.Tensor) -> torch.Tensor:
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (tower.mean, tower.std))
    return tower.encode_image((images / 255 - mean) / std)


@pytest.mark.parametrize("name", [case for case in CASES if not case.endswith("original5")])
def test_alternating_steps(golden, tower, name):
    case = golden(name)
    learner, tensors, hyper = made(case, tower, "init."), case.tensors, case.facts["hyper"]
    searcher = Searcher(learner, tower, hyper["weight_optimizer"]["adam_lr"])
    for step in range(len(tensors["train_labels"])):
        seen = encoded(tower, tensors["train_images_u8"][step])
        loss, logits = searcher.learn_contexts(seen, tensors["train_labels"][step], hyper["prompt_optimizer"]["sgd_lr"])
        case.agrees(logits, tensors["train_logits"][step])
        case.agrees(loss, torch.tensor(case.facts["scalars"]["train_loss"][step]))
        seen = encoded(tower, tensors["val_images_u8"][step])
        loss, logits = searcher.learn_weights(seen, tensors["val_labels"][step])
        case.agrees(logits, tensors["val_logits"][step])
        case.agrees(loss, torch.tensor(case.facts["scalars"]["val_loss"][step]))
        case.agrees(learner.weights, f"step{step}.att_weight")
        case.agrees(first_context(learner), f"step{step}.prompt_learner.ctx_list.0")
    case.agrees(learner.vectors, vectors(learner, case, "final."))


@pytest.mark.parametrize("name", [case for case in CASES if case.endswith("original5")])
def test_the_released_combinations(golden, tower, name):
    case = golden(name)
    learner = made(case, tower, "param.")
    released = [tuple(each) for each in case.facts["combinations"]]
    assert sorted(all_combinations(case.facts["bases"], "three_or_more")) == sorted(released)
    texts = tower.encode_prompts(learner.prompts())
    logits = learner.logits(encoded(tower, case.tensors["images_u8"]), texts)
    case.agrees(logits, "logits")
    loss = torch.nn.functional.cross_entropy(logits, case.tensors["labels"])
    case.agrees(loss, torch.tensor(case.facts["scalars"]["loss"]))
    loss.backward()
    expected = case.tensors["grad.att_weight"]
    assert (learner.weights.grad - expected).abs().max() <= 1e-4 * expected.abs().max()
