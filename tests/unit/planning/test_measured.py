"""What a plan makes of speeds that were measured where its jobs run."""

import json
from pathlib import Path

import pytest

from papertables.planning import cost, report
from papertables.planning.cost import AS_ASKED, JOB_START, Lever, spent
from papertables.planning.measured import Pass, corrections
from papertables.planning.plan import Plan
from papertables.planning.report import text
from papertables.planning.speeds import seconds
from papertables.planning.work import run_work
from tests.unit import artefact_world as world
from tests.unit.plans import plan_of

pytestmark = pytest.mark.slow  # whole plans of the paper scale
CARD = "NVIDIA A100-SXM4-40GB"
TOWER = "clip_vit_b16"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def plan(**config) -> Plan:
    return plan_of(scale="paper", **config)


def ended(made: Plan, slower: float, device: str = CARD, tests: str = "published") -> None:
    """The record of a run that took so many times longer than counted, in a group of four."""
    run = world.run("vp", "dtd", 1)
    record = json.loads(world.metrics_of(run, 60.0, 50.0).model_dump_json())
    every = run.training.epochs // sum(epoch["test_accuracy"] is not None for epoch in record["curve"])
    counted = sum(seconds(made.machine, work) for work in run_work(run, (), every, tests == "fast"))
    record["cost"] |= {"seconds": 4 * slower * counted, "group_size": 4, "device": device}
    record["computed"] = {"precision": "fp16", "device": "cuda", "tests": tests}
    jobs = Path(made.paths.results, "jobs")
    jobs.mkdir(parents=True, exist_ok=True)
    (jobs / "one.jsonl").write_text(f"{json.dumps(record)}\nno record\n")


def computing(made: Plan, lever: Lever = AS_ASKED) -> float:
    """Seconds, without starts of jobs."""
    return spent(made, ["attrvr_cost"], lever) - len(made.jobs_for("attrvr_cost")) * JOB_START


def test_a_run_that_ended_tells_how_fast_its_passes_are():
    made = plan()
    before = computing(made)
    ended(made, 3)
    assert corrections(made) == {Pass(TOWER): pytest.approx(3), Pass(TOWER, "fp32"): pytest.approx(3)}
    assert computing(made) == pytest.approx(3 * before)
    assert f"as was measured here for {TOWER}" in text(made, ["attrvr_cost"])


def test_a_plan_reads_once_what_was_measured(monkeypatch):
    made, asked = plan(), []
    ended(made, 3)
    for module in (cost, report):
        monkeypatch.setattr(module, "corrections", lambda plan: asked.append(plan) or corrections(plan))
    said = text(made, ["attrvr_cost", "attrvr_table1"])
    assert f"as was measured here for {TOWER}" in said and "what makes it cheaper" in said
    assert asked == [made]


@pytest.mark.parametrize(
    ("config", "device"), [({"gpu": "H100"}, CARD), ({}, "cpu (x86_64)"), ({"device": "cpu"}, CARD)]
)
def test_a_run_of_another_machine_tells_nothing(config, device):
    made = plan(**config)
    ended(made, 3, device)
    assert corrections(made) == {}


@pytest.mark.parametrize("tests", ["published", "fast"])
def test_what_a_lever_promises_is_what_the_plan_with_it_says(tests):
    made, fast = plan(), plan(numerics="fast")
    ended(made, 3, tests=tests)
    assert computing(made, Lever(fast=True)) == pytest.approx(computing(fast))
    assert computing(fast, Lever(fast=False)) == pytest.approx(computing(made))


def test_the_speeds_of_a_checked_gpu_count_until_runs_have_ended():
    made, run, coop = plan(gpu="H100"), world.run("vp", "dtd", 1), world.run("coop", "dtd", 1)
    assert corrections(made) == {}

    def rate(purpose: str, slower: float, fast: bool = False) -> float:
        works = [work for work in run_work(run, fast=fast) if work.purpose == purpose]
        return sum(work.images for work in works) / sum(slower * seconds(made.machine, work) for work in works)

    tested = {"published": rate("tests", 4), "fast": rate("tests", 5, fast=True)}
    rows = [
        {"gpu": "NVIDIA H100 80GB HBM3", "spec": each.model_dump(mode="json"), "trained_per_second": trained}
        | {"tested_per_second": tested}
        for each, trained in ((run, rate("training", 2)), (coop, 1.0))  # the prompts' speed is another set's
    ]
    Path(made.paths.results).parent.mkdir(parents=True, exist_ok=True)
    Path(made.paths.results).parent.joinpath("speeds.json").write_text(json.dumps(rows))
    told = {Pass(TOWER): 2, Pass(TOWER, "fp32"): 4, Pass(TOWER, "half"): 5}
    assert corrections(made) == pytest.approx(told)
    assert corrections(plan(gpu="A100")) == corrections(plan(device="cpu")) == {}
    ended(made, 3, "NVIDIA H100 80GB HBM3")
    assert corrections(made) == pytest.approx(told | {Pass(TOWER): 3, Pass(TOWER, "fp32"): 3})
