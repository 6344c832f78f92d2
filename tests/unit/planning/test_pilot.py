"""The pilot: real data that arrives by itself, in an hour of a GPU, beside the published numbers."""

import pytest

from papertables.artefacts.notes import run_notes
from papertables.backbones.catalog import backbone
from papertables.data.catalog import dataset
from papertables.planning.cost import estimate, total
from tests.unit.plans import plan_of


@pytest.fixture(scope="module")
def plan():
    return plan_of(scale="pilot")


@pytest.mark.slow
def test_an_hour_and_four_gigabytes(plan):
    cost = total(estimate(plan, plan.selected).values())
    assert cost.seconds < 1.05 * 3600
    assert cost.download < 4e9
    assert plan.selected == ["attrvr_table1", "blm_padding", "smm_table1", "atprompt_table1"]


@pytest.mark.slow
def test_everything_is_the_papers_own(plan):
    runs = [run for job in plan.jobs.values() for run in job.runs]
    assert {run.dataset for run in runs} == {"dtd", "eurosat", "oxford_pets"}
    assert {run.backbone for run in runs} == {"clip_vit_b16", "clip_vit_l14", "resnet18"}
    assert not any(dataset(run.dataset).source.kind in ("manual", "drawn") for run in runs)
    assert not any(backbone(run.backbone).shipped for run in runs)


@pytest.mark.slow
def test_what_is_shortened_is_said(plan):
    planned = plan.artefacts["attrvr_table1"]
    assert planned.comparable
    said = " ".join(run_notes(planned, planned.runs, averaged=False, subsets={}))
    assert "epochs 20 (published: 200)" in said
    assert "epochs between tests 5 (published: 1)" in said


def test_tests_as_often_as_the_papers_are_not_spoken_of():
    planned = plan_of().artefacts["attrvr_table1"]
    assert "between tests" not in " ".join(run_notes(planned, planned.runs, averaged=False, subsets={}))
