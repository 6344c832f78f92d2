"""SMM's mask network and input against the released code."""

import re

import pytest
import torch

from papertables.errors import UserError
from papertables.methods.context import Context
from papertables.methods.masks import Masked


def plain_context(size: int) -> Context:
    return Context(size, (0, 0, 0), (1, 1, 1), torch.tensor(0.0))


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


def test_training(golden):
    case = golden("smm_mask")
    for facts in case.facts["cases"]:
        prefix = f"case{facts['case']}."
        module = masked(case, facts)
        out = module(case.tensors[f"{prefix}x"])
        case.agrees(out, f"{prefix}train.out")
        (out * case.tensors[f"{prefix}w"]).sum().backward()
        case.agrees(module.program.grad, f"{prefix}train.grad_program")
        case.agrees(module.network.blocks[0][0].weight.grad, f"{prefix}train.grad_conv1")
        state = module.state_dict()
        after = part(case, f"{prefix}train.after.")
        assert len(after) == 2 * (facts["layers"] - 1)
        for name, expected in after.items():
            case.agrees(state[name], expected)


def test_options_that_cannot_work(golden):
    """What the released code refuses, or breaks on in its first step, ours refuses with a reason."""
    observed = golden("smm_mask").facts["observed_constructor_and_forward (size,layers,patch,channels)"]
    for given, outcome in observed.items():
        size, layers, patch, channels = map(int, given.strip("()").split(","))
        context = plain_context(size)
        if outcome == "works":
            module = Masked(context, layers, patch, channels, 8, seed=0)
            assert module(torch.rand(2, 3, size, size)).shape == (2, 3, size, size)
        else:
            with pytest.raises(UserError, match="option"):
                Masked(context, layers, patch, channels, 8, seed=0)
