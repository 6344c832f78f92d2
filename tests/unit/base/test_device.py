"""What is computed where."""

import pytest
import torch

from papertables.base.device import computed_precision


@pytest.mark.parametrize("asked", ["fp16", "bf16", "fp32"])
def test_a_cpu_computes_in_single_precision_whatever_is_asked(asked):
    assert computed_precision(torch.device("cpu"), asked) == "fp32"
    assert computed_precision(torch.device("cuda"), asked) == asked
