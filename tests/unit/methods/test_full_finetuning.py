"""Full finetuning: a copy of the classifier is trained whole, the shared one stays."""

import pytest
import torch
from torch import nn

from papertables.base.errors import UserError
from papertables.methods.inputs import MethodInputs
from papertables.methods.table import METHODS, build
from papertables.training.run import trained_values
from papertables.training.trial import random_tower, trial
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


@pytest.mark.slow
def test_a_published_classifier_is_trained_with_its_batch_norm():
    spec = mapped_spec("full_finetuning", options=METHOD.options, backbone="resnet18", dataset="mini_kinds")
    tower = random_tower("resnet18")
    learner = trial(spec, tower, CLASSES).learner.eval()
    normed = [isinstance(module, nn.BatchNorm2d) for module in learner.tower.modules()]
    assert sum(normed) == 20 and not any(isinstance(module, nn.BatchNorm2d) for module in tower.model.modules())
    pixels = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(learner.features(pixels), tower.encode_image(pixels), rtol=1e-4, atol=1e-5)


def test_a_clip_is_refused():
    METHOD.check(mapped_spec("full_finetuning", options=METHOD.options, backbone="mini-cls-rn", dataset="mini_kinds"))
    with pytest.raises(UserError, match="this backbone is a CLIP: take a classifier"):
        METHOD.check(mapped_spec("full_finetuning", options=METHOD.options, backbone="mini-vit", dataset="mini_kinds"))
