"""SMM's mask network and input against the released code."""

import re

import pytest
import torch

from papertables.backbones import catalog
from papertables.base.errors import UserError
from papertables.methods.inputs import MethodInputs
from papertables.methods.masks import Masked
from papertables.methods.table import METHODS
from tests.unit.small_world import CLASSIFIER, mapped_spec


def plain_context(size: int) -> MethodInputs:
    return MethodInputs(size, (0, 0, 0), (1, 1, 1), torch.tensor(0.0))


def own_name(released: str) -> str:
    """``priority.conv2.weight`` is ``network.blocks.1.0.weight``; conv6 is the last of any depth."""
    if released == "program":
        return released
    kind, number, rest = re.fullmatch(r"priority\.(conv|bn)(\d)\.(.+)", released).groups()
    if number == "6":
        return f"network.last.{rest}"
    return f"network.blocks.{int(number) - 1}.{('conv', 'bn').index(kind)}.{rest}"


def part(case, prefix: str) -> dict[str, torch.Tensor]:
    """The case's tensors under a prefix, by our names."""
    tensors = {name: value for name, value in case.tensors.items() if name.startswith(prefix)}
    return {own_name(name.removeprefix(prefix)): value for name, value in tensors.items()}


def masked(case, facts: dict) -> Masked:
    module = Masked(plain_context(facts["size"]), facts["layers"], facts["patch_size"], facts["channels"], 8, seed=0)
    module.load_state_dict(part(case, f"case{facts['case']}.sd."))
    return module


def test_a_seed_gives_the_initial_weights_of_the_released_code(golden):
    case = golden("smm_steps")
    for facts in case.facts["variants"]:
        context = plain_context(case.facts["hyper"]["img_size"])
        module = Masked(context, facts["layers"], facts["patch_size"], facts["channels"], 8, facts["seed"])
        state, expected = module.state_dict(), part(case, f"{facts['variant']}.init.")
        assert set(state) == set(expected)
        for name, value in expected.items():
            torch.testing.assert_close(state[name], value)


def test_evaluation(golden):
    case = golden("smm_mask")
    for facts in case.facts["cases"]:
        prefix = f"case{facts['case']}."
        module, images = masked(case, facts).eval(), case.tensors[f"{prefix}x"]
        low = case.tensors[f"{prefix}eval.mask_low"]
        case.agrees(module.network(images), low.unsqueeze(1) if facts["channels"] == 1 else low)
        case.agrees(module(images), f"{prefix}eval.out")


def trained(case, facts: dict, images: torch.Tensor) -> tuple[Masked, torch.Tensor, dict[str, torch.Tensor]]:
    """The module after a training pass in the precision of the images, what it gave and the gradients of the weighted
    sum."""
    module = masked(case, facts).to(images.dtype)
    out = module(images)
    (out * case.tensors[f"case{facts['case']}.w"]).sum().backward()
    return module, out, {"program": module.program.grad, "conv1": module.network.blocks[0][0].weight.grad}


def shaken(images: torch.Tensor, seed: int) -> torch.Tensor:
    """Moved by about a part in a million, which is what rounding does on the way through the layers."""
    noise = torch.randn(images.shape, dtype=images.dtype, generator=torch.Generator().manual_seed(seed))
    return images * (1 + 1e-6 * noise)


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    return (one - other).abs().max().item()


@pytest.mark.slow
def test_training(golden):
    """Gradients of the first layer sum thousands of terms that all but cancel, so that rounding alone can exceed the
    case's tolerance. How far it moves ours is measured against double precision and four times that is allowed on top.
    Where a value before a ReLU or within a pooling is a tie but for rounding, single precision may go either way:
    released and own gradients are each compared with the nearest of those of slightly shaken images."""
    case = golden("smm_mask")
    rtol, atol = (case.facts["tolerance"][f"float32_{name}"] for name in ("rtol", "atol"))
    for facts in case.facts["cases"]:
        images, prefix = case.tensors[f"case{facts['case']}.x"], f"case{facts['case']}.train."
        module, out, gradients = trained(case, facts, images)
        case.agrees(out, f"{prefix}out")
        doubles = [images.double(), *(shaken(images.double(), seed) for seed in range(8))]
        exact = [trained(case, facts, each)[2] for each in doubles]
        for name, found in gradients.items():
            rounding = min(distance(found, each[name]) for each in exact)
            assert rounding <= 1e-4 * found.abs().max()
            released = case.tensors[f"{prefix}grad_{name}"]
            nearest = min((each[name] for each in exact), key=lambda own: distance(own, released))
            case.agrees(nearest, released, rtol=rtol, atol=atol + 4 * rounding)
        state = module.state_dict()
        after = part(case, f"{prefix}after.")
        assert set(after) == {name for name in state if "running" in name}
        for name, expected in after.items():
            case.agrees(state[name], expected)


def test_options_that_cannot_work(golden, monkeypatch):
    """What the released code refuses, or breaks on in its first step, ours refuses with a reason when it plans; but for
    sides that patches do not divide, where masks are mirrored to the edge, as the paper's section 3.3 says."""
    observed = golden("smm_mask").facts["observed_constructor_and_forward (size,layers,patch,channels)"]
    for given, outcome in observed.items():
        size, layers, patch, channels = map(int, given.strip("()").split(","))
        tower = catalog.backbone(CLASSIFIER).model_copy(update={"id": "sized", "image_size": size})
        monkeypatch.setitem(catalog.backbones(), tower.id, tower)
        options = METHODS["smm"].options | {"layers": layers, "patch": patch, "channels": channels}
        run = mapped_spec("smm", dataset="dtd", backbone=tower.id, options=options)
        if outcome == "works" or (size % patch and patch < 2**layers):
            METHODS["smm"].check(run)
            module = Masked(plain_context(size), layers, patch, channels, 8, seed=0)
            assert module(torch.rand(2, 3, size, size)).shape == (2, 3, size, size)
        else:
            with pytest.raises(UserError, match="option"):
                METHODS["smm"].check(run)
