"""What is computed where."""

from pathlib import Path

import pytest
import torch

from papertables.base.device import (
    _available,
    _left_in_group,
    computed_numerics,
    computed_precision,
    computing_fast,
    forget_peak,
    free_memory,
    moved,
)


@pytest.mark.parametrize("asked", ["fp16", "bf16", "fp32"])
def test_a_cpu_computes_in_single_precision_whatever_is_asked(asked):
    assert computed_precision(torch.device("cpu"), asked) == "fp32"
    assert computed_precision(torch.device("cuda"), asked) == asked


def test_a_cpu_computes_tests_as_published_whatever_is_asked():
    assert computed_numerics(torch.device("cpu"), "fast") == "published"
    assert [computed_numerics(torch.device("cuda"), asked) for asked in ("published", "fast")] == ["published", "fast"]


def test_cudnn_stays_on_while_it_is_fast_and_is_as_before_afterwards():
    before = torch.backends.cudnn.enabled, torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic
    with computing_fast(torch.device("cpu"), torch.float16):
        assert torch.backends.cudnn.enabled and torch.backends.cudnn.benchmark
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float16
    assert before == (torch.backends.cudnn.enabled, torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic)


def test_the_peak_of_a_gpu_alone_begins_anew(monkeypatch):
    forgotten = []
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", forgotten.append)
    for device in map(torch.device, ("cpu", "cuda")):
        forget_peak(device)
    assert forgotten == [torch.device("cuda")]


def test_a_cpu_has_nothing_to_move():
    values = torch.arange(3)
    assert moved(values, "cpu") is values


def test_free_memory_is_the_share_of_the_threads(tmp_path: Path):
    (tmp_path / "meminfo").write_text("MemTotal: 900 kB\nMemAvailable:  200 kB\n")
    assert _available(tmp_path / "meminfo") == 200 * 1024
    assert _available(tmp_path / "elsewhere") is None
    assert free_memory(torch.device("cpu")) is None or free_memory(torch.device("cpu")) > 0


def test_limits_of_control_groups_hold_for_what_is_below(tmp_path: Path):
    job = tmp_path / "groups" / "slurm" / "job7"
    job.mkdir(parents=True)
    (tmp_path / "own").write_text("0::/slurm/job7\n")
    limits = {job.parent: ("1000", "400"), job: ("max", "100")}
    for folder, (most, used) in limits.items():
        (folder / "memory.max").write_text(f"{most}\n")
        (folder / "memory.current").write_text(f"{used}\n")
    assert _left_in_group(tmp_path / "groups", tmp_path / "own") == 600
    assert _left_in_group(tmp_path / "groups", tmp_path / "nowhere") is None
