"""The check of a GPU: what it says without one, that its own path works, and that it can find something."""

import re
import subprocess
import sys

import pytest
import torch
from benchmarks import gpu_check

from papertables.data.augment import augment
from papertables.data.feed import Resident, on_device
from papertables.training import loop
from papertables.training.trial import random_tower
from tests.unit.plans import REPOSITORY

CPU = torch.device("cpu")


def check(*options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "papertables.commands.cli", "gpu-check", *options]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_in_one_line():
    done = check()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: torch finds no GPU here, so none was checked (--device cpu tries the check itself)\n"


@pytest.mark.slow
def test_another_device_is_told_in_one_line(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["gpu_check.py", "--device", "gpu"])
    with pytest.raises(SystemExit) as end:
        gpu_check.main()
    assert str(end.value) == "error: unknown device 'gpu' (did you mean 'cpu'?): choose from cuda, cpu"


@pytest.mark.slow
def test_its_own_path_on_a_cpu():
    done = check("--device", "cpu")
    *lines, verdict = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    count = len(gpu_check.kinds("mini"))
    assert len(lines) == count + len(gpu_check.COURSES) + 1 and all("agrees (loss 0e+00" in line for line in lines)
    assert re.fullmatch(rf"cpu \(.*\): all {count} methods and backbones train as on the CPU, and so do .*", verdict)


@pytest.mark.slow
def test_a_device_that_computes_something_else_is_found(monkeypatch):
    spec = next(spec for spec in gpu_check.kinds("mini") if (spec.method, spec.backbone) == ("vp", "mini-vit"))
    towers = iter([random_tower("mini-vit"), random_tower("mini-vit")])

    def slightly_wrong(name, device):
        tower = next(towers)
        with torch.no_grad():
            tower.model.visual.proj.mul_(1 + 0.1 * torch.rand_like(tower.model.visual.proj))
        return tower

    assert gpu_check.agreement(spec, CPU) == (0, 0)
    monkeypatch.setattr(gpu_check, "random_tower", slightly_wrong)
    loss, gradient = gpu_check.agreement(spec, CPU)
    assert loss > gpu_check.LOSS and gradient > gpu_check.GRADIENT


def as_on_a_gpu(monkeypatch, method: str, wrong: float = 0) -> tuple[float, float, float]:
    """How far a method's epoch is off where images live on the device and are cropped there, in its loss, how far that
    may be off, and in its test. wrong: added to the images."""

    def there(kind, images, rows, size, generator, device):
        made = augment(kind, on_device(images, rows, CPU), torch.from_numpy(images.sizes[rows]), size, generator)
        return (made + wrong).clamp(0, 1)

    def on_both(work, device):
        on_cpu = work(CPU)
        with monkeypatch.context() as patched:
            patched.setattr(gpu_check, "resident", lambda images, rows, device: Resident(images, rows, CPU))
            patched.setattr(loop, "training_images", there)
            return [on_cpu, work(CPU)]

    monkeypatch.setattr(gpu_check, "on_both", on_both)
    spec = next(spec for spec in gpu_check.courses(gpu_check.kinds("mini")) if spec.method == method)
    loss, turned = gpu_check.course(spec, CPU)
    return loss, gpu_check.limit(spec), turned


@pytest.mark.slow
@pytest.mark.parametrize("method", [method for method, _ in gpu_check.COURSES])
def test_crops_of_a_gpu_and_images_that_live_there_agree(monkeypatch, method):
    loss, limit, turned = as_on_a_gpu(monkeypatch, method)
    assert (loss > 0) == (method == "vp")  # the others' crops are the same bytes
    assert loss < limit / 5 and turned == 0


@pytest.mark.slow
@pytest.mark.parametrize("method", [method for method, _ in gpu_check.COURSES])
def test_wrong_crops_are_found(monkeypatch, method):
    loss, limit, _ = as_on_a_gpu(monkeypatch, method, wrong=0.6)
    assert loss > limit


@pytest.mark.slow
def test_a_wrong_search_is_found(monkeypatch):
    spec = next(spec for spec in gpu_check.kinds("mini") if spec.method == "coop")
    assert gpu_check.search(spec, CPU) == (0, 0)
    towers = iter([random_tower("mini-vit"), random_tower("mini-vit")])

    def slightly_wrong(name, device):
        tower = next(towers)
        with torch.no_grad():
            tower.model.text_projection.mul_(1 + 0.1 * torch.rand_like(tower.model.text_projection))
        return tower

    monkeypatch.setattr(gpu_check, "random_tower", slightly_wrong)
    loss, gradient = gpu_check.search(spec, CPU)
    assert loss > gpu_check.LOSS and gradient > gpu_check.GRADIENT


@pytest.mark.slow
def test_what_torch_refuses_is_a_line_and_the_others_go_on(monkeypatch, capsys):
    wanted = ("vp", "mini-vit"), ("coop", "mini-vit")
    specs = [spec for spec in gpu_check.kinds("mini") if (spec.method, spec.backbone) in wanted]
    known = gpu_check.agreement

    def refused(spec, device):
        if spec.method == "coop":
            raise RuntimeError("no kernel\n  for this")
        return known(spec, device)

    monkeypatch.setattr(gpu_check, "agreement", refused)
    monkeypatch.setattr(gpu_check, "kinds", lambda scale: specs)
    monkeypatch.setattr(gpu_check, "COURSES", {})
    monkeypatch.setattr(sys, "argv", ["gpu_check.py", "--device", "cpu"])
    with pytest.raises(SystemExit, match=r"cpu \(.*\): 1 of 3 do not compute as the CPU: coop with mini-vit$"):
        gpu_check.main()
    said = capsys.readouterr().out
    assert "coop mini-vit       FAILS: no kernel for this\n" in said and "vp mini-vit       agrees (loss" in said


@pytest.mark.slow
def test_the_paper_scale_has_every_method_that_trains():
    from papertables.methods.table import METHODS

    found = {spec.method for spec in gpu_check.kinds("paper")}
    assert found == {name for name, method in METHODS.items() if method.trains}
