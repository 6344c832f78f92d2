import sys
from subprocess import run

import pytest

JOB = """
import sys
from papertables.base.compiler import leave_unloaded

def loaded():
    return len([name for name in sys.modules if name.startswith("torch._dynamo")])

leave_unloaded()
import torch, torchvision
weight = torch.nn.Parameter(torch.ones(3))
optimizer = torch.optim.SGD([weight], lr=0.5)
weight.sum().backward()
optimizer.step()
assert weight.tolist() == [0.5] * 3
assert loaded() == 2, loaded()
"""
USES = {
    "compile": 'assert torch.compile(lambda x: 2 * x, backend="eager")(weight).tolist() == [1] * 3; optimizer.step()',
    "module": "import torch._dynamo.config; assert torch._dynamo.config.recompile_limit",
    "torchvision": "assert sys.modules['torchvision.ops.roi_align'].is_compile_supported('meta') is False",
}


@pytest.mark.slow
@pytest.mark.parametrize("use", USES)
def test_a_job_steps_without_torchs_compiler_which_is_loaded_when_it_is_used(use):
    run([sys.executable, "-c", f"{JOB}{USES[use]}\nassert loaded() > 50"], check=True)
