"""Snakemake makes the environments of ``envs/``, and jobs run in them: its own has none of what they need."""

import json
import subprocess
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.environment.alone import snakemake_alone
from tests.environment.conda_standin import path_with
from tests.environment.prepare import COMMANDS, ENVIRONMENTS, TARGETS, is_ready, obstacle
from tests.workflow.conftest import REPOSITORY, copy_project

ACTIVATED = "Activating conda environment: "


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_ready(), reason=obstacle() or "made by: python -m tests.environment.prepare"),
]


def test_what_pins_bring_with_them_is_pinned_by_the_lock():
    locked = {
        canonical(line.partition(" ;")[0]) for line in (REPOSITORY / "requirements.lock").read_text().splitlines()
    }
    for environment in filter(Path.is_dir, ENVIRONMENTS.iterdir()):
        listed = python(environment, "-m", "pip", "list", "--format=freeze").splitlines()
        assert {canonical(each) for each in listed if not each.startswith("pip==")} <= locked


def test_torch_brings_cuda_though_no_gpu_was_there():
    versions = list(ENVIRONMENTS.glob("*/lib/python*/site-packages/torch/version.py"))
    assert versions
    for file in versions:
        assert python(file.parents[4], "-c", "import torch; print(torch.version.cuda)") not in ("", "None")


def python(environment: Path, *arguments: str) -> str:
    """What a Python of an environment prints, alone with what is installed there."""
    command = [environment / "bin" / "python", "-I", *arguments]
    return subprocess.run(command, check=True, text=True, capture_output=True).stdout.strip()


def canonical(pin: str) -> str:
    name, _, version = pin.partition("==")
    return f"{canonicalize_name(name)}=={version}"


def test_jobs_run_in_the_environments_made_before(tmp_path):
    project = copy_project(tmp_path / "project")
    made = sorted(ENVIRONMENTS.iterdir())
    done = snakemake_alone(tmp_path / "alone").run(
        *("-m", "snakemake", "--cores", "2", "--use-conda", "--conda-prefix", ENVIRONMENTS, *TARGETS, "scale=tiny"),
        folder=project.root,
        PATH=path_with(COMMANDS),
        PIP_NO_INDEX="1",
    )
    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed
    assert "Creating conda environment" not in printed and sorted(ENVIRONMENTS.iterdir()) == made
    used = {line.split("/")[-1] for line in printed.splitlines() if line.startswith(ACTIVATED)}
    assert used == {path.name for path in made if path.is_dir()}
    assert (project.results / "tables" / "attrvr" / "table1.md").exists()
    assert (project.results / "index.html").exists()
    runs = [json.loads(path.read_text()) for path in (project.results / "runs").rglob("metrics.json")]
    assert any(run["curve"] for run in runs)  # something was trained
