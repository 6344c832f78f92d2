"""Snakemake makes the environments of ``envs/``, and jobs run in them: its own has none of what they need."""

import json

import pytest

from tests.environment.alone import snakemake_alone
from tests.environment.conda_standin import path_with
from tests.environment.prepare import COMMANDS, ENVIRONMENTS, TARGETS, is_ready, obstacle
from tests.workflow.conftest import copy_project

ACTIVATED = "Activating conda environment: "


@pytest.mark.slow
@pytest.mark.skipif(not is_ready(), reason=obstacle() or "made by: python -m tests.environment.prepare")
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
