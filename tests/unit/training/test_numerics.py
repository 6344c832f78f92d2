"""Tests and mapping passes in half precision: what is computed, what is recorded, and what of it serves for what."""

import json

import pytest
import torch

from papertables.results.metrics import Fingerprint
from papertables.results.store import Store, same_numbers
from papertables.training import job as jobs
from papertables.training.record import fingerprints
from tests.unit.small_world import CLASSIFIER, World, mapped_spec, spec

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    return World(tmp_path_factory.mktemp("classifier"), CLASSIFIER)


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """The CPU takes half precision where it is allowed."""
    monkeypatch.setattr("papertables.base.device.computed_numerics", lambda device, asked: asked)


def own(line: dict) -> dict:
    return line["evaluations"][0]


def test_a_cpu_computes_as_published_and_says_so(world, tmp_path):
    (exact,) = world.train([spec("vp")], tmp_path / "exact")
    (fast,) = world.train([spec("vp")], tmp_path / "fast", numerics="fast")
    assert own(fast) == own(exact) and own(fast)["numerics"] == "published"
    assert fast["curve"] == exact["curve"]


def test_training_is_the_same_and_tests_are_near(world, tmp_path, as_on_a_gpu):
    (exact,) = world.train([spec("attrvr")], tmp_path / "exact")
    (fast,) = world.train([spec("attrvr")], tmp_path / "fast", numerics="fast")
    assert (own(fast)["numerics"], fast["computed"]["tests"]) == ("fast", "fast")
    losses = [[epoch["train_loss"] for epoch in line["curve"]] for line in (exact, fast)]
    assert losses[0] == losses[1]
    for one, other in zip(exact["curve"], fast["curve"], strict=True):
        assert abs(one["test_accuracy"] - other["test_accuracy"]) <= 100 / own(exact)["images"]


def test_fast_scores_are_made_exact_without_training_and_exact_ones_serve(world, tmp_path, as_on_a_gpu, monkeypatch):
    asked = spec("vp")
    (fast,) = world.train([asked], tmp_path, numerics="fast")
    trained = []
    monkeypatch.setattr(jobs._Work, "_train_group", lambda *given: trained.append(given))
    (exact,) = world.train([asked], tmp_path)
    assert own(exact)["numerics"] == "published" and not trained
    assert own(exact)["last"]["epoch"] == own(fast)["last"]["epoch"] and exact["curve"] == fast["curve"]
    assert Store(tmp_path / "runs").record(asked.id).evaluations[0].numerics == "published"
    monkeypatch.setattr(jobs._Work, "_score_group", lambda *given: pytest.fail("scored once more"))
    assert world.train([asked], tmp_path, numerics="fast") == [exact]


@pytest.mark.parametrize(("mapping", "passes"), [("ilm", "fast"), ("ilm_fast", "fast"), ("rlm", None)])
def test_only_mapping_passes_are_a_part_of_a_training(classifier, tmp_path, mapping, passes):
    run = mapped_spec("padding", mapping)
    jobs = [classifier.job([run], numerics=each) for each in ("published", "fast")]
    exact, fast = (fingerprints(job, {}, {}, Store(tmp_path))[run.id] for job in jobs)
    assert (exact.passes, fast.passes) == (None, passes)
    assert same_numbers(exact, fast)  # published passes serve
    assert same_numbers(fast, exact) == (passes is None)


def test_records_from_before_are_published():
    told = {"data": "00", "backbone": "00", "attributes": None, "method": "00", "numerics": 1}
    assert Fingerprint.model_validate_json(json.dumps(told)).passes is None


def test_mappings_by_fast_passes_are_trained_anew_where_exact_ones_are_asked_for(classifier, tmp_path, as_on_a_gpu):
    asked = mapped_spec("smm", "ilm")
    (fast,) = classifier.train([asked], tmp_path, numerics="fast")
    assert fast["fingerprint"]["passes"] == "fast"
    (exact,) = classifier.train([asked], tmp_path)
    assert exact["fingerprint"]["passes"] is None
    (alone,) = classifier.train([asked], tmp_path / "alone")
    assert exact["curve"] == alone["curve"]


def test_features_of_half_precision_are_near(classifier):
    from papertables.base.device import computing_fast
    from papertables.training.loop import FAST
    from papertables.training.trial import random_tower

    tower, images = random_tower(CLASSIFIER), torch.rand(4, 3, 48, 48)
    with torch.inference_mode():
        exact = tower.encode_image(images)
        with computing_fast(torch.device("cpu"), FAST):
            fast = tower.encode_image(images.contiguous(memory_format=torch.channels_last))
    assert fast.dtype == FAST
    assert (fast.float() - exact).norm() < 0.01 * exact.norm()
