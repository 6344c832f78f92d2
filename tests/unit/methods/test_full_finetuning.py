"""Full finetuning: a copy of the classifier is trained whole, the shared one stays."""

import pytest
import torch
from torch import nn

from papertables.base.errors import UserError
from papertables.methods.inputs import MethodInputs
from papertables.methods.table import METHODS, build
from papertables.training.run import trained_values
from tests.unit.small_world import SIDE, mapped_spec

METHOD = METHODS["full_finetuning"]
WIDTH, CLASSES = 4, 3


@pytest.fixture
def tower():
    """Frozen, with batch norm, without its last layer."""
    torch.manual_seed(0)
    layers = nn.Conv2d(3, WIDTH, 3, bias=False), nn.BatchNorm2d(WIDTH), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return nn.Sequential(*layers).eval().requires_grad_(False)


@pytest.fixture
def learner(tower):
    weight, bias = torch.zeros(10, WIDTH), torch.zeros(10)
    given = MethodInputs(SIDE, (0.5,) * 3, (0.5,) * 3, weight=weight, bias=bias, class_count=CLASSES, tower=tower)
    return build("full_finetuning", METHOD.options, given)


def test_all_values_are_trained_and_the_shared_tower_is_not(tower, learner):
    images, labels = torch.rand(6, 3, SIDE, SIDE), torch.arange(6) % CLASSES
    before = {name: value.clone() for name, value in tower.state_dict().items()}
    learner.eval()
    torch.testing.assert_close(learner.features(learner.pixels(images)), tower(learner.pixels(images)))
    learner.train()
    optimizer = torch.optim.Adam(learner.parameters(), 0.01)
    loss, _ = learner.loss(learner.features(learner.pixels(images)), None, (), labels)
    loss.backward()
    optimizer.step()
    assert all(parameter.grad is not None for parameter in learner.parameters())
    assert all((value == before[name]).all() for name, value in tower.state_dict().items())
    assert all((value != before[name]).any() for name, value in learner.tower.state_dict().items())
    own = sum(parameter.numel() for parameter in tower.parameters())
    assert trained_values(learner) == own + (WIDTH + 1) * CLASSES


def test_a_clip_is_refused():
    METHOD.check(mapped_spec("full_finetuning", options=METHOD.options, backbone="mini-cls-rn", dataset="mini_kinds"))
    with pytest.raises(UserError, match="this backbone is a CLIP: take a classifier"):
        METHOD.check(mapped_spec("full_finetuning", options=METHOD.options, backbone="mini-vit", dataset="mini_kinds"))
