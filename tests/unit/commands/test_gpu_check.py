"""The check of a GPU: what it says without one, that its own path works, and that it can find something."""

import re
import subprocess
import sys

import pytest
import torch
from benchmarks import gpu_check

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
def test_its_own_path_on_a_cpu():
    done = check("--device", "cpu")
    *lines, verdict = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert len(lines) == len(gpu_check.kinds("mini")) and all("agrees (loss 0e+00" in line for line in lines)
    assert re.fullmatch(rf"cpu \(.*\): all {len(lines)} methods and backbones train as on the CPU", verdict)


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
    monkeypatch.setattr(sys, "argv", ["gpu_check.py", "--device", "cpu"])
    with pytest.raises(SystemExit, match=r"cpu \(.*\): 1 of 2 do not train as on the CPU: coop with mini-vit"):
        gpu_check.main()
    said = capsys.readouterr().out
    assert "coop mini-vit       FAILS: no kernel for this\n" in said and "vp mini-vit       agrees (loss" in said


@pytest.mark.slow
def test_the_paper_scale_has_every_method_that_trains():
    from papertables.methods.table import METHODS

    found = {spec.method for spec in gpu_check.kinds("paper")}
    assert found == {name for name, method in METHODS.items() if method.trains}
