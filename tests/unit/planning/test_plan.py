"""Artefacts to cells to runs to jobs: sharing, ownership, stability, purity."""

import subprocess
import sys

import pytest

from tests.unit.plans import REPOSITORY
from tests.unit.plans import plan_of as plan


def test_a_run_belongs_to_one_job():
    made = plan()
    owned = [run.id for job in made.jobs.values() for run in job.runs]
    assert len(owned) == len(set(owned))
    for id, planned in made.artefacts.items():
        jobs = {job.id for job in made.jobs_for(id)}
        assert {made.job_of[run.id] for run in planned.runs} == jobs


def test_runs_of_table1_are_shared_with_the_averages_by_backbone():
    made = plan(scale="paper")
    first = {run.id for run in made.artefacts["attrvr_table1"].runs}
    second = {run.id for run in made.artefacts["attrvr_table2"].runs}
    shared = {id for id in first if not id.startswith("imagenet/")}
    assert shared < second
    assert not second & (first - shared)
    assert all(made.job_of[id].startswith("attrvr_table1.") for id in first)


def test_paper_scale_is_the_published_protocol():
    made = plan(scale="paper")
    runs = [run for run in made.artefacts["attrvr_table1"].runs if run.method == "attrvr"]
    assert len(runs) == 12 * 3
    run = runs[0]
    assert run.training.epochs == 200
    assert run.training.optimizer.lr == 40
    assert run.image_size == 192
    assert (run.options["k"], run.options["m"], run.options["lam"]) == (3, 20, 0.5)
    assert run.shots == 16


def test_one_gpu_job_per_seed_at_the_paper_scale():
    made = plan(scale="paper")
    assert {len(job.trained) for job in made.jobs.values()} == {1}


@pytest.mark.slow
def test_another_seed_moves_no_run_to_another_job():
    for scale in ("mini", "paper"):
        before, after = plan(scale=scale, seeds=[1, 2]), plan(scale=scale, seeds=[1, 2, 3])
        assert all(after.job_of[id] == job for id, job in before.job_of.items())


@pytest.mark.slow
def test_selection_of_artefacts_changes_no_job():
    assert plan(artefacts=["attrvr_table2"]).jobs == plan(artefacts="all").jobs


@pytest.mark.slow
def test_plan_needs_neither_torch_nor_results(tmp_path):
    code = (
        "import sys, yaml; from pathlib import Path; from papertables.planning.plan import make_plan; "
        f"plan = make_plan(Path({str(REPOSITORY)!r}), yaml.safe_load(open({str(REPOSITORY / 'config.yaml')!r}))); "
        "from papertables.planning.report import text; text(plan, plan.artefacts); "
        "assert plan.jobs; assert not {'torch', 'timm', 'open_clip'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_fidelity_changes_only_runs_that_it_can_touch():
    published, repaired = plan(fidelity="published"), plan(fidelity="repaired")

    def ids(made, method):
        return {run.id for run in made.artefacts["attrvr_table1"].runs if run.method == method}

    assert ids(published, "zero_shot") == ids(repaired, "zero_shot")
    assert not ids(published, "vp") & ids(repaired, "vp")
    assert not ids(published, "attr_zs") & ids(repaired, "attr_zs")


def test_attributes_of_all_papers_can_be_searched():
    found = plan(anchors="searched", artefacts="all")
    assert not found.broken and {"common_ground", "atprompt_table1"} <= set(found.selected)
    assert found.project.papers["common"].search == found.project.papers["atprompt"].search
