"""Every method, backbone and precision of the paper scale on fake CUDA tensors: no wrong type, no wrong device, and the
memory that `plan` reads."""

from functools import cache

import pytest
import torch
from benchmarks import memory
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

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


class Waits(TorchDispatchMode):
    """Notes what works on a GPU with places that lie on the CPU: the CPU waits until they are there. What asks a fake
    tensor for its contents fails by itself; a list of places becomes a tensor unseen."""

    def __init__(self):
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, function, types, given=(), named=None):
        tensors = [each for each in tree_leaves((given, named)) if isinstance(each, torch.Tensor) and each.ndim]
        if len({each.device.type for each in tensors}) > 1:
            self.found.append(str(function))
        return function(*given, **(named or {}))


@pytest.mark.parametrize("kind", [kind for kind in QUICK if kinds()[kind].backbone == "clip_vit_b16"], ids="-".join)
def test_no_forward_pass_waits_for_places(kind, monkeypatch):
    waits, name = Waits(), "kept_bytes" if kind[0] == SEARCH else "step_bytes"
    counted = getattr(memory, name)

    def watched(*given):
        with waits:
            return counted(*given)

    monkeypatch.setattr(memory, name, watched)
    if kind[0] == SEARCH:
        memory.searched(kinds()[kind], memory.FEW)
    else:
        memory.measured(kinds()[kind], memory.FEW, 2)
    assert waits.found == []


def test_the_class_vectors_of_a_student_are_looked_up_once():
    spec = next(spec for kind, spec in kinds().items() if kind[0] == "promptkd")
    _, learner, names, _ = memory.placed(spec, memory.FEW)
    with memory.fake("fp32"):
        assert learner.vectors(names) is learner.vectors(names)


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
