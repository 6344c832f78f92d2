"""What a job asks of a cluster follows from its estimate, and grows with every attempt."""

import pytest

from papertables.planning.resources import (
    cache_seconds,
    inspect_seconds,
    memory_mb,
    minutes,
    search_seconds,
    train_seconds,
)
from papertables.specs.spec import CacheKey
from tests.unit.plans import plan_of


@pytest.fixture(scope="module")
def plan():
    return plan_of(scale="paper", device="cuda")


@pytest.mark.slow
def test_a_longer_estimate_asks_for_more_time(plan):
    few, many = "attrvr_table1.dtd.clip_vit_b16", "attrvr_table1.sun397.clip_vit_b16"
    first = [next(job for job in plan.jobs if job.startswith(each)) for each in (few, many)]
    short, long = (train_seconds(plan, job) for job in first)
    assert 60 < short < long
    assert minutes(short, 1) * 60 > 2 * short


def test_every_attempt_asks_for_more():
    assert [minutes(3600, attempt) for attempt in (1, 2, 3)] == [130, 260, 390]
    assert memory_mb(2) == 2 * memory_mb(1) < 2 * memory_mb(1, originals=True)


@pytest.mark.slow
def test_a_cpu_is_asked_for_longer(plan):
    job = next(iter(plan.jobs))
    assert train_seconds(plan_of(scale="paper", device="cpu"), job) > 10 * train_seconds(plan, job)


@pytest.mark.slow
def test_a_search_follows_its_classes(plan):
    by_set = {key[0]: search_seconds(plan, *key) for key in plan.searches}
    assert by_set["sun397"] > 3 * by_set["dtd"] > 0


@pytest.mark.slow
def test_what_a_figure_shows_follows_its_images(plan):
    shown = [run.id for run in plan.inspected(plan.artefacts["attrvr_embeddings"])]
    pets = next(id for id in shown if id.startswith("oxford_pets/"))
    few, many = (inspect_seconds(plan, pets, part) for part in ("train", "test"))
    assert 0 < few < many / 5  # 16 of each class


@pytest.mark.slow
def test_a_cache_follows_its_images(plan):
    whole, few = CacheKey("test", "crop", 224), CacheKey("train", "short", 224)
    assert cache_seconds(plan, "imagenet", whole) == 500
    assert cache_seconds(plan, "dtd", whole) < 20
    assert cache_seconds(plan, "imagenet", few) < cache_seconds(plan, "imagenet", few._replace(part="train_whole"))
