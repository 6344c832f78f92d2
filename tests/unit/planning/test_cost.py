"""What a plan is estimated to take: what is counted, at which speeds, and what would make it cheaper."""

from collections import defaultdict
from typing import get_args

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from papertables.backbones.catalog import backbone
from papertables.data.catalog import dataset
from papertables.methods.masks import MaskNetwork
from papertables.planning.cost import AS_ASKED, Lever, estimate, total
from papertables.planning.report import text
from papertables.planning.speeds import Cores, cards, seconds
from papertables.planning.work import mask_gmacs, run_work, together
from papertables.specs.config import Gpu
from papertables.specs.spec import RunSpec, Target
from tests.unit.plans import plan_of

pytestmark = pytest.mark.slow  # whole plans of the paper scale


def plan(**config):
    return plan_of(scale="paper", **config)


def run_of(artefact: str, method: str, name: str) -> RunSpec:
    runs = plan().artefacts[artefact].runs
    return next(run for run in runs if run.method == method and run.dataset == name)


def images(run: RunSpec, every: int = 1, targets: tuple[Target, ...] = ()) -> dict[str, int]:
    found: dict[str, int] = {}
    for work in run_work(run, targets, every):
        found[work.purpose] = found.get(work.purpose, 0) + work.images
    return {purpose: count for purpose, count in found.items() if count}


def test_every_pass_through_the_image_tower_is_counted():
    data, classes = dataset("eurosat"), 10
    vp = run_of("attrvr_table1", "vp", "eurosat")
    assert images(vp) == {"training": 200 * 16 * classes, "tests": 200 * data.test}
    assert images(vp, every=0)["tests"] == data.test
    assert images(vp, every=80)["tests"] == 3 * data.test
    assert images(run_of("attrvr_table1", "zero_shot", "eurosat")) == {}


@pytest.mark.parametrize(("mapping", "passes"), [("rlm", 0), ("flm", 1), ("ilm", 200), ("blmp_fast", 1)])
def test_mapping_passes_are_those_that_are_made(mapping, passes):
    padding = run_of("blm_padding", "padding", "dtd")
    run = padding.model_copy(update={"options": padding.options | {"mapping": mapping}})
    assert images(run).get("mapping passes", 0) == passes * dataset("dtd").train


def test_stored_features_save_image_passes():
    targets = (Target("dtd", "new"),)
    prompted = run_of("atprompt_table1", "coop", "dtd")
    assert images(prompted, 0, targets).keys() == {"training"}
    inside = run_of("atprompt_table1", "maple", "dtd")
    half = round(dataset("dtd").test * 24 / 47), round(dataset("dtd").test * 23 / 47)
    assert images(inside, 0, targets) == {"training": 5 * 16 * 24, "tests": half[0], "other data": half[1]}


def test_only_what_is_trained_before_the_tower_is_gone_back_to():
    def passes(run: RunSpec) -> float:
        work = next(iter(run_work(run)))
        return work.flops / (2e9 * backbone(run.backbone).gmacs * work.images)

    assert passes(run_of("attrvr_table1", "attrvr", "dtd")) == passes(run_of("atprompt_table1", "maple", "dtd")) == 2
    assert passes(run_of("atprompt_table1", "coop", "dtd")) == passes(run_of("smm_table14", "finetune", "dtd")) == 1


def test_prompts_made_for_each_image_cost_as_many_calls():
    def text_flops(method: str) -> float:
        run = run_of("atprompt_table1", method, "dtd")
        return sum(work.flops for work in run_work(run, (), 0) if work.purpose == "tests")

    assert text_flops("cocoop") == pytest.approx(round(dataset("dtd").test * 24 / 47) * text_flops("coop"))


@pytest.mark.parametrize("options", [(5, 8, 3, 8), (6, 16, 3, 8), (5, 1, 1, 8), (5, 4, 3, 32)])
def test_mask_networks_are_counted_as_torch_counts_them(options):
    layers, patch, channels, width = options
    with FlopCounterMode(display=False) as counter, torch.device("meta"):
        MaskNetwork(layers, patch, channels, width)(torch.empty(1, 3, 64, 64))
    assert 2e9 * mask_gmacs(64, layers, patch, channels, width) == counter.get_total_flops()


def test_speeds_are_known_of_every_card_and_below_its_peak():
    assert {*cards()} == {*get_args(Gpu)}
    for card in cards().values():
        for tower in ("resnet18", "clip_rn101", "clip_vit_b16", "vit_l_384"):
            run = run_of("attrvr_table1", "vp", "dtd").model_copy(update={"backbone": tower})
            for work in run_work(run):
                assert card.flops(work) < 1e12 * max(card.peak.values())


def test_resnet_50_trains_as_fast_as_it_was_measured_on_an_a100():
    """To the input and to the weights, as its source does: 2,470 images a second in half precision."""
    run = run_of("smm_table1", "padding", "dtd").model_copy(update={"backbone": "resnet50_v2"})
    training = next(iter(run_work(run)))
    assert training.images / (1.5 * seconds(cards()["A100"], training)) == pytest.approx(2470, rel=0.02)


def test_convolutions_of_fp32_take_tf32_and_products_do_not():
    card = cards()["A100"]
    for tower, peak in (("resnet50_v2", 156e12), ("clip_vit_b16", 19.5e12)):
        run = run_of("attrvr_table1", "vp", "dtd").model_copy(update={"backbone": tower})
        tests = next(work for work in run_work(run) if work.purpose == "tests")
        assert card.flops(tests) / peak in card.share[tests.kind].values()


def test_levers_save_what_they_say():
    asked, fast, last, both = (
        total(estimate(plan(), ["attrvr_table1"], lever).values())
        for lever in (AS_ASKED, Lever(fast=True), Lever(selection="last"), Lever(True, "last"))
    )
    assert asked.seconds > fast.seconds > both.seconds and asked.seconds > last.seconds > both.seconds
    for cheaper in (fast, last, both):
        assert cheaper.purposes["training"] == asked.purposes["training"]
        assert cheaper.purposes["tests"] < asked.purposes["tests"]
    configured = total(
        estimate(plan(numerics="fast", selection="last", artefacts=["attrvr_table1"]), ["attrvr_table1"]).values()
    )
    assert configured.seconds == pytest.approx(both.seconds)


def test_searches_and_frozen_features_are_counted_once():
    costs = estimate(
        plan(), ["atprompt_table12", "atprompt_table13", "atprompt_search", "atprompt_table1", "atprompt_table2"]
    )
    assert costs["atprompt_table12"].purposes["searches"] > 0
    assert "searches" not in costs["atprompt_search"].purposes
    assert costs["atprompt_table1"].purposes["frozen features"] > 0
    assert total(costs.values()).seconds == pytest.approx(sum(cost.seconds for cost in costs.values()))


def trained(runs: list[RunSpec]) -> dict[str, float]:
    """Images that go through the image tower in training, by whether runs may share their pass."""
    found = defaultdict(float)
    for work in together((run, [*run_work(run)]) for run in runs):
        if work.purpose == "training" and work.images:
            found[work.once[0] if work.once else "own"] += work.images
    return found


@pytest.mark.parametrize(
    ("method", "tower", "shared"),
    [
        ("cocoop", "clip_vit_b16", {"features"}),
        ("promptsrc", "clip_vit_l14", {"guide"}),
        ("maple", "clip_vit_b16", set()),
        ("coop", "clip_vit_b16", set()),  # with attributes it takes half as many epochs
    ],
)
def test_runs_of_a_seed_share_passes_of_images_that_they_leave_as_they_are(method, tower, shared):
    found = [run for run in plan().artefacts["atprompt_table1"].runs if (run.method, run.backbone) == (method, tower)]
    runs = [run for run in found if run.dataset == "dtd" and run.seed == 1]
    assert len(runs) == 2  # with attributes and without
    one, two, both = (trained(some) for some in (runs[:1], runs[1:], runs))
    assert both == {name: one[name] if name in shared else one[name] + two[name] for name in one}
    other = runs[0].model_copy(update={"seed": 2})
    assert trained([runs[0], other]) == {name: 2 * count for name, count in one.items()}


def test_the_plan_says_what_it_would_save_and_how_long_jobs_take():
    said = text(plan(), ["attrvr_table1", "attrvr_attribute_sources"])
    for line in ("numerics: fast", "selection: last", "both", "Of it: tests", "Jobs by estimated time"):
        assert f"\n{line}" in said
    assert "what makes it cheaper" not in text(plan_of(), ["attrvr_table1"])  # on a CPU


def test_a_cpu_is_counted_as_one():
    assert isinstance(plan_of().machine, Cores) and not plan_of(numerics="fast").fast
    assert plan(numerics="fast").fast


def test_several_runs_of_a_job_take_no_longer_than_is_allowed():
    hours = 0.5
    made = plan(runs_per_job=8, max_job_hours=hours)
    several = [job for job in made.jobs.values() if len(job.trained) > 1]
    assert several
    assert max(sum(map(made.run_seconds, job.trained)) for job in several) <= 3600 * hours
    assert max(len(job.trained) for job in several) == 8
    alone = [job for job in made.jobs.values() if len(job.trained) == 1]
    assert any(made.run_seconds(job.trained[0]) > 3600 * hours for job in alone)
    assert made.job_of.keys() == plan().job_of.keys()


def test_longer_jobs_go_first():
    made = plan()
    jobs = sorted(made.jobs, key=lambda id: sum(map(made.run_seconds, made.jobs[id].runs)))
    priorities = [made.priority(id) for id in jobs]
    assert priorities == sorted(priorities) and 0 <= priorities[0] < priorities[-1] < 1
