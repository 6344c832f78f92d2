"""What `plan` says of memory: by counted rows, jobs as they are packed, tests, searches, cut batches, and a GPU that is
too small."""

import re

import pytest

from papertables.backbones.calls import PROMPTS_PER_CALL
from papertables.base.errors import UserError
from papertables.planning import memory
from papertables.planning.memory import Memory, need, search_need
from papertables.planning.plan import Plan
from papertables.planning.report import record, text
from papertables.specs.spec import RunSpec
from tests.unit.plans import plan_of

pytestmark = pytest.mark.slow  # whole plans of the paper scale


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_of(scale="paper", artefacts="all")


def run_of(plan: Plan, **wanted: str) -> RunSpec:
    runs = (run for job in plan.jobs.values() for run in job.trained)
    return next(run for run in runs if all(getattr(run, name) == value for name, value in wanted.items()))


def test_every_trained_run_and_search_of_the_paper_scale_is_counted(plan):
    assert all(need([run], 80) for job in plan.jobs.values() for run in job.trained)
    assert all(map(search_need, plan.searches.values()))


def test_a_batch_takes_its_weights_its_images_and_its_classes(plan):
    few, many = (run_of(plan, method="coop", dataset=name) for name in ("eurosat", "imagenet"))
    row, one = memory.table()[memory.kind_of(few)], need([few], 80)
    assert one.whole >= one.least > row.weights / 1000
    assert not one.is_cut and one.images == one.batch == 32
    assert need([many], 80).whole > one.whole


@pytest.mark.parametrize("method", ["maple", "promptsrc", "promptkd"])
def test_a_test_counts_where_it_takes_more_than_a_small_batch(plan, method):
    run = run_of(plan, method=method, dataset="dtd")
    row, one = memory.table()[memory.kind_of(run)], need([run], 80)
    assert one.whole == pytest.approx((row.weights + memory.CONTEXT + 512 * row.look_image) / 1000)
    assert one.whole > 2 * one.least


def test_runs_that_step_together_are_counted_together(plan):
    packed = plan_of(scale="paper", artefacts="all", runs_per_job=16)
    alone, together = (Memory(each).most(["blm_padding"]) for each in (plan, packed))
    assert together > 1.5 * alone  # 512 images a call, in place of a batch of 256
    coop = run_of(plan, method="coop", dataset="imagenet", protocol="cross_dataset")
    one, several = (need([coop] * count, 80).whole for count in (1, 8))
    row = memory.table()[memory.kind_of(coop)]
    assert 3 * one > several > one
    assert several == pytest.approx(
        (row.weights + memory.CONTEXT + memory.BACKWARD * (row.fixed + PROMPTS_PER_CALL * row.prompt)) / 1000
    )


def test_prompts_of_many_classes_are_not_cut_with_the_images(plan):
    run = run_of(plan, method="coop", protocol="cross_dataset", dataset="imagenet")
    assert memory.table()[memory.kind_of(run)].image == 0
    small = need([run], 16)
    assert small.whole < 4 and not small.is_cut  # all 1,000 prompts in half precision
    assert need([run], 2).images == 0  # which no smaller batch helps


def test_large_backbones_are_cut_on_small_cards_alone(plan):
    run = run_of(plan, backbone="vit_l_384")
    small, large = need([run], 16), need([run], 141)
    assert small.is_cut and 1 < small.images < small.batch
    assert large.images > small.images


def test_a_search_counts_where_it_is_shown_and_where_runs_take_their_words_from_it(plan):
    found = Memory(plan)
    assert found.most(["atprompt_table12"]) > 20 > found.most(["atprompt_table13"]) > 10
    assert found.most(["atprompt_table3"]) == found.most(["atprompt_table12"])
    assert found.most(["smm_table4"]) is None  # computed


def test_the_notes_name_what_is_cut(plan):
    notes = Memory(plan).notes(plan.artefacts)
    assert Memory(plan).most(plan.artefacts) > 40
    assert "The A100 has 40 GB" in notes[0]
    assert "ViT-L" in notes[1] and "of 256 images at a time" in notes[1]
    assert Memory(plan).notes(["attrvr_table1"]) == notes[:1]


def test_the_plan_says_it_in_words_and_as_a_record(plan):
    (row,) = record(plan, ["attrvr_table1"])["artefacts"]
    assert row["memory"] == pytest.approx(1e9 * Memory(plan).most(["attrvr_table1"]))
    assert re.search(rf"attrvr_table1 .* {row['memory'] / 1e9:.1f} GB\n", text(plan, ["attrvr_table1"]))


def test_nothing_is_said_of_a_gpu_where_all_runs_on_a_cpu():
    plan = plan_of(scale="paper", device="cpu")
    assert record(plan, ["attrvr_table1"])["total"]["memory"] is None
    assert "A100" not in text(plan, ["attrvr_table1"])


@pytest.mark.parametrize(
    ("artefact", "what"),
    [
        ("blm_padding", "padding with .*: one image takes 1.7 GB"),
        ("atprompt_table2", "with .*: one image with the prompts of all classes takes 3.3 GB"),
        ("atprompt_table12", "a search on .* takes 20.3 GB"),
    ],
)
def test_a_card_without_room_is_refused_in_one_line(plan, monkeypatch, artefact, what):
    monkeypatch.setitem(memory.GPU_MEMORY, "A100", 1)
    with pytest.raises(UserError, match=rf"{what}, the A100 has 1: plan for another one") as refused:
        Memory(plan).notes([artefact])
    other = re.search(r"gpu=(.*)", str(refused.value)).group(1)
    assert Memory(plan_of(scale="paper", gpu=other)).notes([artefact])  # the mend works
