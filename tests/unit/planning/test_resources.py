"""What a job asks of a cluster follows from its estimate, and grows with every attempt."""

import pytest

from papertables.planning.resources import frozen_seconds, memory_mb, minutes, train_seconds
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
def test_frozen_features_follow_the_test_images(plan):
    assert frozen_seconds(plan, "imagenet", "clip_vit_b16") > 10 * frozen_seconds(plan, "dtd", "clip_vit_b16") > 0
