"""Jobs of BLM and SMM on the small world: label mappings, masks, two optimisers."""

from collections import Counter

import numpy as np
import pytest
import torch

from papertables.data.splits import read_split, training_indices
from papertables.results.mappings import read_mappings
from papertables.results.store import Store
from papertables.training.checkpoint import Checkpoint
from papertables.training.mapping_history import TOP, Mappings, kept
from tests.unit.small_world import CLASSES, CLASSIFIER, PER_CLASS, SIDE, World, mapped_spec
from tests.unit.training.test_job import EVERY_EPOCH, Killed, learners, results, same

pytestmark = pytest.mark.slow

PACKED = [mapped_spec("smm"), mapped_spec("smm", seed=2), mapped_spec("watermark", "blmp_fast", seed=2)]
MAPPINGS = ("rlm", "flm", "ilm", "blm", "blmp", "blm_shares", "blmp_shares", "ilm_fast", "blm_fast", "blmp_fast")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"), CLASSIFIER)


def test_every_mapping_is_kept_epoch_by_epoch(world, tmp_path):
    specs = [mapped_spec("padding", mapping) for mapping in MAPPINGS]
    world.train(specs, tmp_path)
    for each, mapping in zip(specs, MAPPINGS, strict=True):
        path = Store(tmp_path / "runs").mappings(each.id)
        assert path.exists() == (mapping != "rlm")
        if mapping == "rlm":
            continue
        history = read_mappings(path)
        assert history["epochs"].tolist() == ([1] if mapping == "flm" else [1, 2, 3])
        assert np.isnan(history["changes"][0]) and np.isfinite(history["changes"][1:]).all()
        one = mapping.startswith(("flm", "ilm"))
        assert history["sources"].shape[1:] == history["weights"].shape[1:] == (len(CLASSES), 1 if one else TOP)
        assert history["program_epochs"].tolist() == kept(3)
        assert history["programs"].shape == (len(history["program_epochs"]), 3, SIDE, SIDE)
        if one:
            assert all(len(set(sources[:, 0])) == len(CLASSES) for sources in history["sources"])


def test_what_figures_show_costs_no_run(world, tmp_path, monkeypatch, capfd):
    """Two of three mappings, and none of them is kept."""

    def fail(mappings, epoch, before, head, add=Mappings.add):
        add(mappings, epoch, before, head)
        if epoch == 2:
            raise ValueError("a slip")

    spec = mapped_spec("padding", "blm")
    whole = world.train([spec], tmp_path / "whole")
    monkeypatch.setattr(Mappings, "add", fail)
    assert results(world.train([spec], tmp_path)) == results(whole)
    assert not Store(tmp_path / "runs").mappings(spec.id).exists()
    assert f"{spec.id}: its mappings are lost to figures: ValueError: a slip" in capfd.readouterr().err


def test_the_first_mapping_is_of_the_untouched_backbone(world, tmp_path):
    """Before any training ILM and its fast update map as FLM does."""
    specs = [mapped_spec("padding", mapping) for mapping in ("flm", "ilm", "ilm_fast")]
    world.train(specs, tmp_path)
    first = [read_mappings(Store(tmp_path / "runs").mappings(each.id))["sources"][0] for each in specs]
    assert (first[0] == first[1]).all() and (first[0] == first[2]).all()


def test_packed_masks_keep_their_own_batch_norm(world, tmp_path):
    """Packed equals alone, statistics of batch norm included, within 1e-4 of values of order one: Adam divides small
    differences of sums by small gradients."""
    world.train(PACKED, tmp_path / "packed")
    for each in PACKED:
        world.train([each], tmp_path / "alone")
    together, alone = learners(tmp_path / "packed", PACKED), learners(tmp_path / "alone", PACKED)
    means = [name for name in together[0] if name.startswith("last.") and name.endswith("running_mean")]
    assert len(means) == 4
    assert not torch.equal(together[0][means[0]], together[1][means[0]])
    for one, other in zip(together, alone, strict=True):
        for name in one:
            if (name.startswith("last.") and "program" in name) or name in means[:1]:
                torch.testing.assert_close(one[name], other[name], rtol=0, atol=1e-4)


def test_resumed_equals_uninterrupted(world, tmp_path, monkeypatch):
    """Statistics that training has observed, both optimisers and batch norm come back from the checkpoint."""
    whole = world.train(PACKED, tmp_path / "whole", training=EVERY_EPOCH)

    def kill_first(checkpoint, runs, place, force, save=Checkpoint.save):
        save(checkpoint, runs, place, force)
        if place.epoch == 1:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "save", kill_first)
        with pytest.raises(Killed):
            world.train(PACKED, tmp_path / "cut", training=EVERY_EPOCH)
    resumed = world.train(PACKED, tmp_path / "cut", training=EVERY_EPOCH)
    assert results(resumed) == results(whole)
    assert same(learners(tmp_path / "cut", PACKED), learners(tmp_path / "whole", PACKED))
    for each in PACKED:
        one, other = (read_mappings(Store(tmp_path / name / "runs").mappings(each.id)) for name in ("cut", "whole"))
        assert all(np.array_equal(one[key], other[key], equal_nan=True) for key in other)


def test_a_new_last_layer_and_a_learned_mapping_train(world, tmp_path):
    parts = {"logits": {"optimizer": {"name": "adam", "lr": 0.1}, "schedule": {"name": "constant"}}}
    adam = {"optimizer": {"name": "adam", "lr": 0.01}, "schedule": {"name": "constant"}}
    learned = {"epochs": 6, "batch_size": 5, "parts": parts, **adam}
    specs = [mapped_spec("watermark", "learned", training=learned), mapped_spec("smm", "last_layer", training=learned)]
    for line in world.train(specs, tmp_path):
        assert line["curve"][-1]["train_loss"] < line["curve"][0]["train_loss"]


def test_a_fraction_of_every_class(world):
    split = read_split(world.dataset / "split.json")
    half = [mapped_spec("padding", seed=seed, fraction=0.5) for seed in (1, 2)]
    chosen = [training_indices(split, each) for each in half]
    for indices in chosen:
        assert Counter(split.train[index].label for index in indices) == dict.fromkeys(
            range(len(CLASSES)), PER_CLASS["train"] // 2
        )
    assert chosen[0] != chosen[1]
    assert chosen[0] == training_indices(split, half[0])
    assert training_indices(split, mapped_spec("padding")) == list(range(len(split.train)))


def test_a_step_sees_a_batch_once(world, tmp_path):
    """Of a mask network that counts its batches: also where another learner's loss has images looked at twice."""
    spec = mapped_spec("smm", "rlm")
    world.train([spec], tmp_path)
    state = Store(tmp_path / "runs").state(spec.id, "last")
    steps = -(-len(CLASSES) * PER_CLASS["train"] // spec.training.batch_size) * spec.training.epochs
    counted = {int(value) for name, value in state.items() if name.endswith("num_batches_tracked")}
    assert counted == {steps}
