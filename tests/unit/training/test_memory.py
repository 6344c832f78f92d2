"""What a step keeps, what fits, and what becomes of a batch that does not."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from papertables.base.errors import UserError
from papertables.training.loop import Trainer
from papertables.training.memory import Room, images_that_fit, kept_bytes, pieces
from papertables.training.run import Run
from tests.unit.training.test_loop import SIDE, Learner, cached, settings, whole

BATCH = 10


def test_what_is_kept_is_counted_once_and_without_what_is_there_anyway():
    weight, images = torch.randn(4, 5, requires_grad=True), torch.randn(3, 5)
    assert kept_bytes(lambda: images @ weight.T) == 4 * images.numel()  # for the gradient of the weight
    assert kept_bytes(lambda: (images @ weight.T).exp()) == 4 * (images.numel() + 3 * 4)
    assert kept_bytes(lambda: (images @ weight.T).exp(), known=[images]) == 4 * 3 * 4


def test_pieces_are_as_few_and_as_even_as_can_be():
    assert [(part.start, part.stop) for part in pieces(10, 4)] == [(0, 4), (4, 8), (8, 10)]
    assert [(part.start, part.stop) for part in pieces(256, 200)] == [(0, 128), (128, 256)]
    assert pieces(10, 10) == pieces(10, 99) == [slice(0, 10)]


def test_a_room_is_halved_down_to_one_image():
    room = Room()
    assert [(room.halve(10), room.of(10)) for _ in range(4)] == [(True, 5), (True, 2), (True, 1), (False, 1)]


def test_at_least_one_image_is_tried():
    assert images_that_fit(1, 0, 10**9) == 1
    assert images_that_fit(1400, 100, 9) == 104


class Scarce:
    """A tower on a device with room for a few images alone."""

    def __init__(self, most: int):
        self.most, self.sizes = most, []

    def encode_image(self, images):
        if len(images) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.sizes.append(len(images))
        return images.mean((2, 3))


def trained(tower, seeds=(1, 2), learner=Learner, **given) -> Trainer:
    training = settings(batch_size=BATCH, optimizer={"name": "sgd", "lr": 0.5, "momentum": 0.9})
    runs = [Run(f"run{seed}", learner(), training, seed, np.arange(25)) for seed in seeds]
    one = Trainer(runs, tower, torch.device("cpu"), SIDE, BATCH, **given)
    one.train(cached(25), whole(cached(6)))
    return one


@pytest.mark.slow
@pytest.mark.parametrize("most", [15, 10, 7, 3, 1])
def test_a_batch_without_room_is_cut_and_gives_the_same(most, capsys):
    tower = Scarce(most)
    full, cut = trained(SimpleNamespace(encode_image=lambda images: images.mean((2, 3)))), trained(tower)
    assert max(tower.sizes) <= most
    for one, other in zip(full.runs, cut.runs, strict=True):
        torch.testing.assert_close(one.learner.logits.weight, other.learner.logits.weight)
        for before, after in zip(one.curve, other.curve, strict=True):
            assert after.train_loss == pytest.approx(before.train_loss, rel=1e-5)
            assert after.train_accuracy == before.train_accuracy and after.test_accuracy == before.test_accuracy
    told = capsys.readouterr().err
    assert ("the gradients are the same" in told) == (most < BATCH)


@pytest.mark.slow
def test_no_room_for_one_image_is_an_error():
    with pytest.raises(UserError, match="run1: the device has no room for a single image"):
        trained(Scarce(0))


class Normed(Learner):
    def __init__(self):
        super().__init__()
        self.pixels = nn.BatchNorm2d(3)


@pytest.mark.slow
def test_where_batch_norm_sees_parts_it_is_said_and_counted_once(capsys):
    full, cut = (trained(Scarce(99), (1,), Normed), trained(Scarce(5), (1,), Normed))
    assert "batch norm sees the parts, so that results differ" in capsys.readouterr().err
    assert not torch.equal(full.runs[0].learner.logits.weight, cut.runs[0].learner.logits.weight)
    steps = [each.runs[0].learner.pixels.num_batches_tracked.item() for each in (full, cut)]
    assert steps == [6, 10]  # the failed call of a whole batch left no trace


class Prompted(Learner):
    """Keeps more for its classes than for its images."""

    def __init__(self):
        super().__init__()
        self.context = nn.Parameter(torch.zeros(1000))

    def classify(self, features, texts=None, names=()):
        return super().classify(features) + self.context.exp().mean()


@pytest.mark.slow
@pytest.mark.parametrize(("free", "room"), [(40_000, None), (6_500, BATCH), (100, 1)])
def test_a_batch_is_not_cut_for_what_other_runs_keep_of_all_classes(free, room, monkeypatch):
    """Three runs keep 4 kB each, whatever is in a batch."""
    monkeypatch.setattr("papertables.training.loop.free_memory", lambda device: free)
    monkeypatch.setattr("papertables.training.loop.KEPT_AT_MOST", 10**6)
    assert trained(Scarce(99), (1, 2, 3), Prompted, images_per_call=30).room.images == room


@pytest.mark.slow
def test_little_memory_is_foreseen(monkeypatch, capsys):
    monkeypatch.setattr("papertables.training.loop.free_memory", lambda device: 300)
    one = trained(Scarce(99))
    assert 1 < one.room.images < BATCH < one.room_to_look.images
    assert "a batch of 10 images goes through in" in capsys.readouterr().err
