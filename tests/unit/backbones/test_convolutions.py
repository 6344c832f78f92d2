import copy

import pytest
import torch
from torch import nn

from papertables.backbones.convolutions import Patches, lighten_convolutions

CPU = torch.device("cpu")


@pytest.mark.parametrize(("side", "bias"), [(2, True), (4, False)])
def test_windows_side_by_side_are_a_product_of_matrices(side, bias):
    torch.manual_seed(0)
    whole = nn.Conv2d(3, 5, side, stride=side, bias=bias)
    found, expected = (torch.ones(2, 3, 9, 14).cumsum(3).requires_grad_() for _ in range(2))
    torch.testing.assert_close(Patches(whole)(found), whole(expected))
    Patches(whole)(found).square().sum().backward()
    whole(expected).square().sum().backward()
    torch.testing.assert_close(found.grad, expected.grad)


def test_only_convolutions_that_cut_images_up_are_taken():
    torch.manual_seed(0)

    class Own(nn.Conv2d):
        """With a way of its own, as timm has some."""

    own = [
        nn.Conv2d(3, 4, 2, 2),
        Own(4, 4, 2, 2),
        nn.Conv2d(4, 4, 2, 2, dilation=2),
        nn.Conv2d(4, 4, 2, 1),
        nn.Conv2d(4, 4, 2, 2, padding=1),
        nn.Conv2d(4, 4, 2, 2, groups=2),
    ]
    model = nn.Sequential(*own, nn.Conv2d(4, 4, 1)).eval().requires_grad_(False)
    images, names = torch.randn(2, 3, 64, 64), list(model.state_dict())
    expected = model(images)
    light, _ = lighten_convolutions(model, CPU)
    assert [isinstance(module, Patches) for module in light] == [True, False, False, False, False, False, False]
    assert list(light.state_dict()) == names
    torch.testing.assert_close(light(images), expected)


@pytest.mark.parametrize("traceable", [True, False])
def test_batch_norm_becomes_a_part_of_the_convolution_before_it(traceable):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()).eval().requires_grad_(False)
    model[1].running_mean.uniform_(-1, 1)
    model[1].running_var.uniform_(0.5, 2)
    whole, images = copy.deepcopy(model), torch.randn(2, 3, 8, 8)
    light, form = lighten_convolutions(model, CPU, traceable)
    assert (form == torch.channels_last) == traceable
    assert any(isinstance(module, nn.BatchNorm2d) for module in light.modules()) == (not traceable)
    assert isinstance(model[1], nn.BatchNorm2d)  # what was given stays
    torch.testing.assert_close(light(images.to(memory_format=form)), whole(images))
    assert not any(parameter.requires_grad for parameter in light.parameters())
