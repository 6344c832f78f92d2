import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from papertables.data.cache import ImageCache
from papertables.methods.learner import BaseLearner
from papertables.methods.pixels import Plain
from papertables.specs.spec import Training
from papertables.training.loop import Trainer
from papertables.training.optimization import learning_rate
from papertables.training.progress import progress
from papertables.training.run import LOGIT_SCALE, Run
from tests.unit.small_world import whole

pytestmark = pytest.mark.slow

SIDE = 8


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.logit_scale = nn.Parameter(torch.tensor(4.6))
        self.weight = nn.Parameter(torch.zeros(3, 3))

    def forward(self, features):
        return self.logit_scale.exp() * features @ self.weight


class Learner(BaseLearner):
    def __init__(self):
        super().__init__()
        self.pixels, self.logits = nn.Identity(), Head()


class Guided(Learner):
    def guide(self, pixels, encode_image):
        return encode_image(pixels)


def settings(**changes) -> Training:
    base = {
        "epochs": 2,
        "batch_size": 4,
        "optimizer": {"name": "sgd", "lr": 0.1},
        "schedule": {"name": "constant"},
    }
    return Training(**(base | changes))


def cached(count: int) -> ImageCache:
    pixels = np.random.default_rng(0).integers(0, 256, count * 3 * SIDE * SIDE, dtype=np.uint8)
    sizes = np.full((count, 2), SIDE)
    offsets = np.arange(count + 1) * 3 * SIDE * SIDE
    return ImageCache(np.arange(count), np.arange(count) % 3, sizes, offsets, pixels)


def trainer(training: Training, count: int, seeds=(1,), per_call: int | None = None, learner=Learner) -> Trainer:
    runs = [Run(f"run{seed}", learner(), training, seed, np.arange(count)) for seed in seeds]
    return Trainer(
        runs,
        SimpleNamespace(encode_image=lambda x: x.mean((2, 3))),
        torch.device("cpu"),
        SIDE,
        training.batch_size,
        images_per_call=per_call,
    )


@pytest.mark.parametrize(("drop", "count", "steps"), [(False, 9, 3), (True, 9, 2), (True, 3, 1), (True, 8, 2)])
def test_an_incomplete_last_batch(drop, count, steps):
    assert trainer(settings(drop_last=drop), count).steps(count) == steps


@pytest.mark.parametrize("optimizer", [{"name": "sgd", "lr": 0.5, "momentum": 0.9}, {"name": "adam", "lr": 0.05}])
def test_both_optimisers_learn(optimizer):
    one = trainer(settings(epochs=15, optimizer=optimizer), 12)
    one.train(cached(12), whole(cached(6)))
    curve = one.runs[0].curve
    assert curve[-1].train_loss < curve[0].train_loss


def test_a_trained_logit_scale_stays_in_its_bounds():
    one = trainer(settings(optimizer={"name": "sgd", "lr": 1e4}), 12)
    for sign in (1, -1):
        head = one.runs[0].learner.logits
        with torch.no_grad():
            head.weight.copy_(sign * torch.eye(3))
        images, labels = torch.eye(3).view(3, 3, 1, 1).expand(3, 3, SIDE, SIDE), torch.arange(3)
        one.step(one.runs, [images], [labels], [[1e4]])
        assert LOGIT_SCALE[0] <= head.logit_scale.item() <= LOGIT_SCALE[1] + 1e-6
    assert head.logit_scale.item() == LOGIT_SCALE[0]


@pytest.mark.parametrize(("every", "evaluated"), [(1, [1, 2, 3, 4, 5]), (2, [2, 4, 5]), (9, [5]), (0, [5])])
def test_evaluation_every_n_epochs_and_at_the_last(every, evaluated):
    one = trainer(settings(epochs=5), 12)
    one.train(cached(12), whole(cached(6)), every=every)
    run = one.runs[0]
    assert [epoch.epoch for epoch in run.curve if epoch.test_accuracy is not None] == evaluated
    assert run.last.epoch == 5
    best = max(epoch.test_accuracy for epoch in run.curve if epoch.test_accuracy is not None)
    first = next(epoch.epoch for epoch in run.curve if epoch.test_accuracy == best)
    assert (run.best.accuracy, run.best.epoch) == (best, first)


def test_each_run_has_its_own_order_and_gradient():
    one = trainer(settings(), 12, seeds=(1, 2))
    one.epoch(1, cached(12))
    weights = [run.learner.logits.weight for run in one.runs]
    assert not torch.equal(*weights)


@pytest.mark.parametrize(
    ("learner", "images"),  # of each call: for three runs, of two
    [(Learner, [8, 8, 2]), (Guided, [8, 4, 4, 8, 4, 4, 2, 1, 1])],
)
def test_runs_of_one_seed_see_the_same_images_once(learner, images):
    seeds, looked = (1, 2, 1), []
    alone = [trainer(settings(), 9, (seed,), learner=learner) for seed in seeds]
    together = trainer(settings(), 9, seeds, learner=learner)
    for one in (*alone, together):
        for run in one.runs:
            run.learner.pixels = Plain(SimpleNamespace(mean=(0.5,) * 3, std=(0.25,) * 3))
    together.towers.encode_image = lambda x: looked.append(len(x)) or x.mean((2, 3))
    for one in (*alone, together):
        one.epoch(1, cached(9))
    assert looked == images
    for run, one in zip(together.runs, alone, strict=True):
        assert run.curve == one.runs[0].curve
        assert torch.equal(run.learner.logits.weight, one.runs[0].learner.logits.weight)
        assert torch.equal(run.augmentation.get_state(), one.runs[0].augmentation.get_state())


def test_calls_of_few_images_change_nothing():
    wide, narrow = (trainer(settings(), 12, seeds=(1, 2, 3), per_call=images) for images in (None, 4))
    for each in (wide, narrow):
        each.train(cached(12), whole(cached(6)))
    for one, other in zip(wide.runs, narrow.runs, strict=True):
        torch.testing.assert_close(one.learner.logits.weight, other.learner.logits.weight)
        assert one.curve[-1].test_accuracy == other.curve[-1].test_accuracy


def test_milestones_are_floored_and_may_coincide():
    schedule = {"name": "multistep", "milestones": (0.5, 0.72)}
    rates = [learning_rate(settings(epochs=2, schedule=schedule), epoch, 0, 1) for epoch in range(2)]
    assert rates == pytest.approx([0.1, 0.001])


def test_cosine_per_step_ends_close_to_zero():
    training = settings(epochs=4, schedule={"name": "cosine_step"})
    rates = [learning_rate(training, epoch, step, 5) for epoch in range(4) for step in range(5)]
    assert rates[0] == 0.1
    assert rates[10] == pytest.approx(0.05)
    assert rates[-1] == pytest.approx(0.05 * (1 + math.cos(math.pi * 19 / 20)))


def test_progress_in_a_log_has_no_carriage_returns(capsys):
    with progress("title", 3, 0) as bar:
        for _ in range(3):
            bar.update()
    text = capsys.readouterr().err
    assert "title" in text
    assert "\r" not in text
    assert text.endswith("\n")
