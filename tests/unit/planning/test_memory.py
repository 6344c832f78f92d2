"""What `plan` says of memory: by counted rows, cut batches, and a GPU that is too small."""

import pytest

from papertables.base.errors import UserError
from papertables.planning import memory
from papertables.planning.memory import memory_cell, memory_notes, need
from tests.unit.plans import plan_of

pytestmark = pytest.mark.slow  # whole plans of the paper scale


@pytest.fixture(scope="module")
def plan():
    return plan_of(scale="paper", artefacts="all")


def test_every_trained_run_of_the_paper_scale_is_counted(plan):
    runs = [run for job in plan.jobs.values() for run in job.runs]
    assert all((need(run, 80) is None) == (run.training is None) for run in runs)


def test_a_batch_takes_its_weights_its_images_and_its_classes(plan):
    coop = [run for job in plan.jobs.values() for run in job.trained if run.method == "coop"]
    few, many = (next(run for run in coop if run.dataset == name) for name in ("eurosat", "imagenet"))
    row, one = memory.table()[memory.kind_of(few)], need(few, 80)
    assert one.whole >= one.least > row.weights / 1000
    assert not one.is_cut and one.images == one.batch == 32
    assert need(many, 80).whole > one.whole


def test_large_backbones_are_cut_on_small_cards_alone(plan):
    run = next(run for job in plan.jobs.values() for run in job.trained if run.backbone == "vit_l_384")
    small, large = need(run, 16), need(run, 141)
    assert small.is_cut and 1 < small.images < small.batch
    assert large.images > small.images


def test_the_notes_name_what_is_cut(plan):
    cell, notes = memory_cell(plan, plan.artefacts), memory_notes(plan, plan.artefacts)
    assert float(cell.removesuffix(" GB")) > 40
    assert "The A100 has 40 GB" in notes[0]
    assert "ViT-L" in notes[1] and "of 256 images at a time" in notes[1]
    assert memory_notes(plan, ["attrvr_table1"]) == notes[:1]
    assert memory_cell(plan, ["smm_table4"]) == "–"  # computed


def test_a_card_without_room_for_one_image_is_refused_in_one_line(plan, monkeypatch):
    monkeypatch.setitem(memory.GPU_MEMORY, "A100", 2)
    with pytest.raises(UserError, match=r"one image takes \d+ GB, the A100 has 2: plan for another one"):
        memory_notes(plan, plan.artefacts)
