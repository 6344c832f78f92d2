"""Every method, backbone and precision of the paper scale on fake CUDA tensors: no wrong type, no wrong device, and the
memory that `plan` reads."""

from functools import cache

import pytest
import torch
from benchmarks import memory

from papertables.planning.memory import SEARCH, table

pytestmark = pytest.mark.slow

DRIFT = 0.05  # relative, of a table that says how much memory there must be
QUICK = [kind for kind in table() if kind[1] != "vit_l_384"]  # whose attention is that of the smaller ViT
kinds = cache(memory.kinds)


def test_the_table_has_every_kind_of_the_paper_scale():
    assert set(table()) == set(kinds())


@pytest.mark.parametrize("kind", QUICK, ids="-".join)
def test_a_step_of_every_kind_keeps_what_the_table_says(kind):
    found, told = memory.row(kinds()[kind]), table()[kind]
    for name in ("weights", "fixed", "image", "prompt", "look_image", "look_prompt"):
        assert getattr(found, name) == pytest.approx(getattr(told, name), rel=DRIFT, abs=1)


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
@pytest.mark.parametrize("kind", [kind for kind in QUICK if not kind[3] and kind[0] != SEARCH], ids="-".join)
def test_other_precisions_have_the_types_and_devices_that_a_gpu_wants(kind, precision):
    spec = kinds()[kind]
    spec = spec.model_copy(update={"training": spec.training.model_copy(update={"precision": precision})})
    kept = memory.measured(spec, memory.FEW, 2)
    assert kept > 0 or spec.method == "finetune"


def test_what_is_alive_at_once_is_counted_while_it_is():
    weight, images = memory.on_gpu(torch.empty(5, 5)), memory.on_gpu(torch.empty(100, 5))
    with memory.fake("fp32"), memory.Alive([weight]) as counted:
        made = images @ weight
        for _ in range(3):
            made = made.exp()  # the one before goes
    assert counted.most == 2 * 4 * images.numel()


def test_a_wrong_device_is_noticed():
    _, gpu = memory.towers("resnet18")
    with memory.fake("fp16"), pytest.raises(RuntimeError, match=r"device|type"):
        gpu.encode_image(torch.empty(1, 3, 224, 224))  # on the CPU


def test_half_precision_is_what_autocast_computes_in():
    _, gpu = memory.towers("resnet18")
    with memory.fake("fp16"):
        assert gpu.encode_image(torch.empty(1, 3, 224, 224, device=memory.GPU)).dtype == torch.float16
    with memory.fake("fp32"):
        assert gpu.encode_image(torch.empty(1, 3, 224, 224, device=memory.GPU)).dtype == torch.float32
