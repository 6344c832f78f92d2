"""The search for attributes: its combinations, the packed forward, both optimisers, and a whole search."""

import json
import shutil
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from papertables.backbones import load_tower
from papertables.backbones.catalog import backbone
from papertables.base.stopping import Stopped
from papertables.data import cache
from papertables.results.searches import SearchResult, read_search
from papertables.specs.rules import SearchJob
from papertables.specs.spec import TRAIN_ORIGINALS, SearchSpec
from papertables.training import search as module
from papertables.training.optimization import learning_rate
from papertables.training.search import Course, Search, Searcher, all_combinations, search
from tests.unit.small_world import BACKBONE, CLASSES, PER_CLASS, SIDE, World

pytestmark = pytest.mark.slow

FIVE = ("shape", "color", "material", "function", "size")
BASES = ("color", "shape", "season")
NAMES = ("red spot", "green spot")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("world"))
    build_caches(world.dataset, world.folder)
    return world


@pytest.fixture(scope="module")
def tower(world):
    return load_tower(backbone(BACKBONE), world.weights, "cpu")


def build_caches(dataset: Path, folder: Path) -> None:
    for part, fit, size in (TRAIN_ORIGINALS, ("val", "crop", SIDE), ("test", "crop", SIDE)):
        cache.build(dataset, part, size, fit, None, folder / f"{part}.safetensors")
    cache.build(dataset, "train", SIDE, "crop", None, folder / "halved.safetensors")


def made(tower, combinations, **settings) -> Search:
    return Search(tower.text, tower.logit_scale, NAMES, combinations, 2, **settings)


def batch(tower, count: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    features = torch.randn(count, tower.encode_text(["spot"]).shape[1], generator=torch.Generator().manual_seed(5))
    return features, torch.arange(count) % len(NAMES)


def spec(**changes) -> SearchSpec:
    given = {"dataset": "small", "backbone": BACKBONE, "seed": 1, "bases": BASES, "shots": 4, "epochs": 3}
    return SearchSpec(**(given | {"context": 2, "batch_size": 3, "lr": 0.5, "weight_lr": 0.1} | changes))


def searched(world, out: Path, caches: Path | None = None, **changes) -> SearchResult:
    own = spec(**changes)
    parts = ("train", own.validation_part.replace("train", "halved"))
    images = (str((caches or world.folder) / f"{part}.safetensors") for part in parts)
    path = out / own.dataset / own.backbone / f"{own.id}.json"
    search(SearchJob(own, world.prepared, str(world.weights), *images), path)
    return read_search(path)


def found(result: SearchResult) -> tuple:
    return result.weights, result.train_loss, result.validation_loss


def test_combinations_of_any_size_and_of_the_released_sizes():
    every, released = all_combinations(FIVE), all_combinations(FIVE, "three_or_more")
    assert Counter(map(len, every)) == {1: 5, 2: 10, 3: 10, 4: 5, 5: 1}
    assert list(map(len, every)) == sorted(map(len, every)) and len(set(every)) == 31
    assert len(released) == 16 and list(released) == [each for each in every if len(each) > 2]


def test_a_combination_has_a_context_of_its_class_and_one_of_each_attribute(tower):
    learner = made(tower, [("color",), ("color", "shape")], attribute_context=3)
    counts = [(combination, name, count) for combination, name, count in learner.names]
    assert sorted(counts) == [
        (0, "attribute1", 3), (0, "context", 2), (1, "attribute1", 3), (1, "attribute2", 3), (1, "context", 2)
    ]  # fmt: skip
    assert len(learner.vectors) == sum(count for _, _, count in counts)
    used = learner.index[learner.index >= 0]
    assert sorted(set(used.tolist())) == list(range(len(learner.vectors)))  # nothing shared between combinations
    own = [set(rows[rows >= 0].tolist()) for rows in learner.index.unflatten(0, (2, -1)).flatten(1)]
    assert not own[0] & own[1]


def test_first_values_follow_the_released_spreads(tower):
    learner = Search(tower.text, tower.logit_scale, NAMES, all_combinations(FIVE), 2, seed=3)
    parts = learner.vectors.detach().split([count for *_, count in learner.names])
    for kind, expected in (("context", 0.02), ("attribute", 0.01)):
        own = torch.cat(
            [part for part, (_, name, _) in zip(parts, learner.names, strict=True) if name.startswith(kind)]
        )
        assert own.std().item() == pytest.approx(expected, rel=0.05)
    assert learner.weights.min() >= 0 and learner.weights.max() < 1 and learner.weights.std() > 0.1


def test_one_packed_forward_mixes_what_each_combination_says_alone(tower):
    combinations = all_combinations(BASES)
    packed = made(tower, combinations)
    features, _ = batch(tower)
    vectors = iter(packed.vectors.detach().split([count for *_, count in packed.names]))
    mixed = 0
    for weight, combination in zip(packed.weights.softmax(0), combinations, strict=True):
        alone = made(tower, [combination])
        with torch.no_grad():
            alone.vectors.copy_(torch.cat(list(islice(vectors, len(alone.names)))))
        texts = F.normalize(tower.encode_prompts(alone.prompts()), dim=-1)
        mixed = mixed + weight * packed.scale.exp() * F.normalize(features, dim=-1) @ texts.T
    torch.testing.assert_close(packed.logits(features, tower.encode_prompts(packed.prompts())), mixed)


def test_permuted_combinations_permute_the_weights(tower):
    combinations = all_combinations(BASES)
    order = torch.randperm(len(combinations), generator=torch.Generator().manual_seed(1))
    some, others = made(tower, combinations), made(tower, [combinations[i] for i in order])
    parts = some.vectors.detach().split([count for *_, count in some.names])
    by_place = {(combinations[i], name): part for (i, name, _), part in zip(some.names, parts, strict=True)}
    with torch.no_grad():
        others.vectors.copy_(torch.cat([by_place[combinations[order[i]], name] for i, name, _ in others.names]))
        others.weights.copy_(some.weights[order])
    before = some.weights.detach().clone()
    for learner in (some, others):
        searcher = Searcher(learner, tower, weight_lr=0.1)
        for _ in range(3):
            searcher.learn_contexts(*batch(tower), lr=0.5)
            searcher.learn_weights(*batch(tower))
    torch.testing.assert_close(others.weights, some.weights[order], rtol=1e-4, atol=1e-5)
    assert (some.weights - before).abs().max() > 0.1


def test_each_step_moves_only_its_own_half(tower):
    learner = made(tower, all_combinations(BASES))
    searcher = Searcher(learner, tower, weight_lr=0.1)
    vectors, weights = learner.vectors.detach().clone(), learner.weights.detach().clone()
    searcher.learn_contexts(*batch(tower), lr=0.5)
    assert torch.equal(learner.weights, weights)
    assert (learner.vectors != vectors).any(1).all()
    vectors = learner.vectors.detach().clone()
    searcher.learn_weights(*batch(tower))
    assert torch.equal(learner.vectors, vectors)
    assert (learner.weights != weights).all()


def test_weight_decay_reaches_the_contexts_of_every_combination(tower):
    steps = {}
    for decay in (0.0, 0.1):
        learner = made(tower, all_combinations(BASES))
        before = learner.vectors.detach().clone()
        Searcher(learner, tower, weight_lr=0.1, weight_decay=decay).learn_contexts(*batch(tower), lr=0.5)
        steps[decay] = learner.vectors.detach() - before
    torch.testing.assert_close(steps[0.1] - steps[0.0], -0.5 * 0.1 * before, rtol=1e-3, atol=1e-6)


class Tower:
    """Of whose combinations one alone tells the classes apart: for ``right`` the texts are the classes' directions, for
    the others the directions of the classes swapped."""

    def __init__(self, combinations: int, right: int):
        classes = torch.eye(len(NAMES))
        self.texts = torch.stack([classes if i == right else classes.flip(0) for i in range(combinations)]).flatten(
            0, 1
        )

    def encode_prompts(self, prompts) -> torch.Tensor:
        """Of the next combinations, as they come in their order, size by size."""
        own, self.texts = self.texts[: len(prompts)], self.texts.roll(-len(prompts), 0)
        return own + 0 * prompts.embeddings.sum()


@pytest.mark.parametrize("right", [0, 3, 6])
def test_what_tells_the_classes_apart_wins(tower, right):
    combinations = all_combinations(BASES)
    learner = made(tower, combinations)
    searcher = Searcher(learner, Tower(len(combinations), right), weight_lr=0.05)
    labels = torch.arange(6) % len(NAMES)
    features = torch.eye(len(NAMES))[labels]
    losses = [searcher.learn_weights(features, labels)[0].item() for _ in range(60)]
    assert learner.weights.argmax() == right
    assert losses[-1] < losses[0]


def test_combinations_of_one_size_go_through_together(tower):
    """And come back in the order of all."""
    learner, sizes = made(tower, all_combinations(BASES)), []

    class Counting:
        def encode_prompts(self, prompts):
            sizes.append((len(prompts), prompts.embeddings.shape[1]))
            return tower.encode_prompts(prompts)

    searcher = Searcher(learner, Counting(), weight_lr=0.1)
    torch.testing.assert_close(searcher.texts(), tower.encode_prompts(learner.prompts()))
    assert [count // len(NAMES) for count, _ in sizes] == [3, 3, 1]
    lengths = [length for _, length in sizes]
    assert lengths == sorted(set(lengths))  # none is padded to the longest of all


def test_the_places_of_combinations_are_sent_once(tower):
    learner, some = made(tower, all_combinations(BASES)), (0, 2)
    assert learner.rows(some) is learner.rows(some) and learner.rows(some).tolist() == [0, 2]


def test_the_schedule_is_cosine_after_one_constant_epoch():
    training = module._schedule(spec(epochs=40, lr=0.002))
    rates = [learning_rate(training, epoch, 0, 1) for epoch in (0, 1, 21)]
    assert rates == pytest.approx([1e-5, 0.002, 0.001])


@pytest.mark.parametrize(("count", "sizes"), [(96, [32, 32, 32]), (100, [32, 32, 32]), (20, [20])])
def test_an_incomplete_batch_is_dropped_unless_it_is_the_only_one(count, sizes):
    batches = list(module._batches(np.arange(count), 32))
    assert [len(each) for each in batches] == sizes
    assert np.concatenate(batches).tolist() == list(range(sum(sizes)))


def test_validation_batches():
    rows = torch.arange(250)

    def seen(rule: str) -> list[tuple[int, int, int]]:
        batches = module._validation_batches(250, spec(validation=rule))
        own = [rows[batches[step % len(batches)]] for step in range(4)]
        return [(each[0].item(), each[-1].item(), len(each)) for each in own]

    assert seen("first_batch") == [(0, 99, 100)] * 4
    assert seen("cycle") == [(0, 99, 100), (100, 199, 100), (200, 249, 50), (0, 99, 100)]


def test_a_search_says_what_it_found_and_on_what(world, tmp_path):
    result = searched(world, tmp_path)
    assert result.spec == spec()
    assert result.combinations == all_combinations(BASES) and result.winner in result.combinations
    assert (len(result.weights), len(result.train_loss), len(result.validation_loss)) == (3, 3, 3)
    for weights in result.weights:
        assert sum(weights) == pytest.approx(1) and min(weights) > 0
    assert result.data == "0" * 64 and len(result.backbone) == 64
    assert result.seconds > 0
    assert [path.name for path in tmp_path.rglob("*.*")] == [f"{spec().id}.json"]


def test_a_search_is_deterministic_and_its_seed_counts(world, tmp_path):
    first = searched(world, tmp_path)
    torch.rand(3)  # moves torch's own stream
    assert found(searched(world, tmp_path)) == found(first)
    assert found(searched(world, tmp_path, seed=2)) != found(first)


def test_an_interrupted_search_goes_on_from_the_last_epoch_that_it_ended(world, tmp_path, monkeypatch):
    whole = searched(world, tmp_path / "whole", epochs=5)
    ended, began = Course.ended, []

    def stopped(course: Course, losses: list[float]) -> None:
        ended(course, losses)
        began.append(len(course.losses))
        if len(began) % 2:  # in the middle of every second epoch that is ended here
            raise Stopped("SIGTERM")

    monkeypatch.setattr(Course, "ended", stopped)
    for _ in range(5):
        with pytest.raises(Stopped):
            searched(world, tmp_path / "stopped", epochs=5)
    assert began == [1, 1, 2, 2, 3, 3, 4, 4, 5]  # an epoch that was not kept is made again
    assert found(searched(world, tmp_path / "stopped", epochs=5)) == found(whole)
    assert not list(tmp_path.rglob("*.pt"))


def test_weights_start_from_the_seed_and_move_at_their_rate(world, tmp_path):
    still = [searched(world, tmp_path, seed=seed, weight_lr=0).weights for seed in (1, 2)]
    for weights in still:
        assert weights[0] == weights[-1]
    assert still[0] != still[1]
    moved = [searched(world, tmp_path, weight_lr=rate, epochs=1).last for rate in (0.001, 0.1)]
    steps = [max(abs(now - then) for now, then in zip(own, still[0][0], strict=True)) for own in moved]
    assert 0 < 10 * steps[0] < steps[1]


def test_words_of_several_tokens_are_laid_out_as_told(world, tmp_path):
    rules = {rule: {"bases": ("playfulness", "color"), "attribute_tokens": rule} for rule in ("first", "all")}
    first, every = (found(searched(world, tmp_path, **rule)) for rule in rules.values())
    assert first != every
    one = {rule: {"bases": ("shape", "color"), "attribute_tokens": rule} for rule in ("first", "all")}
    first, every = (found(searched(world, tmp_path, **rule)) for rule in one.values())
    assert first == every


def test_the_draw_follows_the_seed_or_the_shared_one(world, tmp_path):
    own, shared, other = (
        found(searched(world, tmp_path, seed=2, shots=1, **draw))
        for draw in ({}, {"few_shot_draw": "shared", "shared_seed": 2}, {"few_shot_draw": "shared", "shared_seed": 1})
    )
    assert own == shared != other


def test_the_validation_rule_counts_where_one_batch_does_not_hold_all(world, tmp_path):
    few = 2 * PER_CLASS["val"] - 1
    rules = [searched(world, tmp_path, validation=rule, validation_batch=few) for rule in ("first_batch", "cycle")]
    assert rules[0].weights != rules[1].weights
    whole = [searched(world, tmp_path, validation=rule) for rule in ("first_batch", "cycle")]
    assert found(whole[0]) == found(whole[1])


def test_where_validation_images_come_from_counts(world, tmp_path):
    rules = (None, "test_first", "half_of_shots")
    losses = [searched(world, tmp_path, validation_images=rule).validation_loss[0] for rule in rules]
    assert len(set(losses)) == 3


def test_half_of_one_shot_is_nothing():
    with pytest.raises(ValueError, match="needs at least 2 shots"):
        spec(validation_images="half_of_shots", shots=1)


def test_images_of_new_classes_are_not_looked_at(world, tmp_path):
    folder = tmp_path / "changed"
    shutil.copytree(world.dataset, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    split = json.loads((folder / "split.json").read_text())
    changed = {"new": (CLASSES[2],), "base": (CLASSES[1],)}
    results = {}
    for kind, names in changed.items():
        for path in [path for part in split.values() for path, _, name in part if name in names]:
            pixels = 255 - np.asarray(Image.open(world.dataset / path))
            Image.fromarray(pixels).save(folder / path)
        build_caches(folder, folder)
        results[kind] = found(searched(world, tmp_path, caches=folder))
    plain = found(searched(world, tmp_path))
    assert results["new"] == plain and results["base"] != plain


@pytest.mark.parametrize(("bases", "sizes"), [((), "any"), (("color", "shape"), "three_or_more")])
def test_too_few_bases_are_said_so(bases, sizes):
    with pytest.raises(ValueError, match="needs at least"):
        spec(bases=bases, sizes=sizes)


def test_calls_hold_the_shortest_combinations_first_and_no_more_than_they_may(tower):
    learner = made(tower, all_combinations(FIVE))
    classes = learner.index.shape[1]
    assert len(learner.calls(10_000)) == 1
    assert learner.calls(1) == [[i] for i in sorted(range(31), key=lambda i: learner.lengths[i])]
    calls = learner.calls(100)
    for own in calls:
        longest, shared = max(learner.lengths[i] for i in own), min(learner.shared[i] for i in own)
        assert len(own) * (shared + classes * (longest - shared)) <= 100
    assert [i for own in calls for i in own] == [i for (i,) in learner.calls(1)] and 2 < len(calls) < 31


@pytest.mark.parametrize("tokens", [10_000, 60])
def test_parts_change_no_feature_and_no_gradient(tower, tokens):
    combinations, (features, labels) = all_combinations(FIVE), batch(tower)
    whole, parts = (Searcher(made(tower, combinations), tower, 0.1, tokens_per_call=limit) for limit in (None, tokens))
    assert (len(parts.calls) > 1) == (tokens < 1000) == parts.recomputed
    torch.testing.assert_close(parts.texts(), whole.texts())
    for each in (whole, parts):
        F.cross_entropy(each.learner.logits(features, each.texts()), labels).backward()
    torch.testing.assert_close(parts.learner.vectors.grad, whole.learner.vectors.grad, rtol=1e-4, atol=1e-6)
