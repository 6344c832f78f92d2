import pytest
import torch
import torch.nn.functional as F

from papertables.methods.inputs import MethodInputs
from papertables.methods.masks import Masked, MaskNetwork, OnlyMask, add_masked, upscale

SIZE = 32
OPTIONS = {"layers": 5, "patch": 8, "channels": 3, "width": 8}


def context(size: int = SIZE) -> MethodInputs:
    return MethodInputs(size, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4), torch.tensor(0.0))


def images(number: int = 3) -> torch.Tensor:
    return torch.rand(number, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def parameters(network) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_published_numbers_of_parameters():
    """SMM, tables 4 and 11."""
    assert parameters(MaskNetwork(5, 8)) == 26_499
    assert parameters(MaskNetwork(6, 16)) == 102_339
    sizes = [parameters(MaskNetwork(5, 8, width=width)) for width in (4, 8, 16, 32, 64, 128)]
    assert sizes == [7_203, 26_499, 101_379, 396_291, 1_566_723, 6_230_019]


@pytest.mark.parametrize("patch", [1, 2, 4, 8, 16, 32])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_mask_has_a_value_per_patch(patch, channels):
    network = MaskNetwork(6, patch, channels, width=2)
    assert network(images()).shape == (3, channels, SIZE // patch, SIZE // patch)
    if channels == 1:
        assert (network(images()) >= 0).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_upscaling_is_nearest_and_needs_no_upscaled_mask(channels):
    mask = torch.randn(2, channels, 4, 4, requires_grad=True)
    program = torch.randn(3, SIZE, SIZE, requires_grad=True)
    batch, weights = torch.randn(2, 2, 3, SIZE, SIZE)
    nearest = F.interpolate(mask, scale_factor=8, mode="nearest")
    assert (upscale(mask, 8) == nearest).all()
    expected, found = batch + program * nearest, add_masked(batch, program, mask, 8)
    torch.testing.assert_close(found, expected)
    for one, other in zip(
        torch.autograd.grad((found * weights).sum(), [mask, program]),
        torch.autograd.grad((expected * weights).sum(), [mask, program]),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("patch", [8, 16])
def test_what_patches_do_not_cover_mirrors_the_closest(patch):
    """SMM, section 3.3; each value fills its block, so that mirroring repeats it."""
    size = 36
    mask = torch.randn(2, 3, size // patch, size // patch)
    batch, program = torch.randn(2, 3, size, size), torch.randn(3, size, size)
    whole = upscale(mask, patch, size)
    rows = [min(row // patch, size // patch - 1) for row in range(size)]
    assert (whole == mask[:, :, rows][..., rows]).all()
    torch.testing.assert_close(add_masked(batch, program, mask, patch), batch + program * whole)
    module = Masked(context(size), **(OPTIONS | {"patch": patch}), seed=0)
    assert module.mask(torch.rand(1, 3, size, size)).shape == (1, 3, size, size)


def test_the_input_starts_as_the_normalised_image_and_the_program_learns_first():
    module = Masked(context(), **OPTIONS, seed=0)
    out = module(images())
    assert (out == module.plain(images())).all()
    (out * torch.randn_like(out)).sum().backward()
    assert module.program.grad.abs().sum() > 0
    assert all((parameter.grad == 0).all() for parameter in module.network.parameters())


def test_the_program_is_weighted_by_the_mask_of_the_image():
    module = Masked(context(), **OPTIONS, seed=0).eval()
    with torch.no_grad():
        module.program.normal_(generator=torch.Generator().manual_seed(1))
        mask = module.mask(images())
        assert mask.shape == (3, 3, SIZE, SIZE)
        assert (mask[0] != mask[1]).any()
        torch.testing.assert_close(module(images()), module.plain(images()) + module.program * mask)


def test_only_the_mask_as_pattern():
    module = OnlyMask(context(), **OPTIONS, seed=0).eval()
    with torch.no_grad():
        pattern = module(images()) - module.plain(images())
        torch.testing.assert_close(pattern, upscale(module.network(module.plain(images())), 8))
    assert parameters(module) == 26_499
    single = OnlyMask(context(), 5, 8, 1, 8, seed=0)
    assert single(images()).shape == (3, 3, SIZE, SIZE)


def test_runs_share_no_state():
    one, other = Masked(context(), **OPTIONS, seed=0), Masked(context(), **OPTIONS, seed=0)
    one(images())
    assert (one.network.blocks[0][1].running_mean != 0).any()
    assert (other.network.blocks[0][1].running_mean == 0).all()


def test_networks_are_drawn_from_their_seed_alone():
    before = torch.get_rng_state()
    first, again, other = (Masked(context(), **OPTIONS, seed=seed).eval().mask(images()) for seed in (0, 0, 1))
    assert (first == again).all() and (first != other).any()
    assert (torch.get_rng_state() == before).all()
