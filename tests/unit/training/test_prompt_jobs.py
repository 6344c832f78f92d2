"""Jobs of learned prompts: base-to-new, transfer targets, packing, resuming."""

import json
from dataclasses import replace

import pytest
import torch

from papertables.methods.table import METHODS
from papertables.results.searches import SearchResult
from papertables.results.store import Store
from papertables.specs.rules import Prepared, Training, Transfer
from papertables.specs.spec import RunSpec, SearchSpec, Target
from papertables.training.job import _Work
from tests.unit.small_world import BACKBONE, SIDE, World

pytestmark = pytest.mark.slow

NEW = Target("small", "new")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("prompted"))


def spec(method: str, seed: int = 1, protocol: str = "base_to_new", **options) -> RunSpec:
    return RunSpec(
        method=method,
        options=METHODS[method].options | {"context": 2, "init": ""} | options,
        backbone=BACKBONE,
        dataset="small",
        protocol=protocol,
        image_size=SIDE,
        images={"fit": "original"},
        shots=4,
        seed=seed,
        training={
            "epochs": 3,
            "batch_size": 4,
            "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4},
            "schedule": {"name": "cosine_epoch", "warmup_epochs": 1, "warmup_lr": 1e-5},
            "drop_last": True,
        },
        fidelity={"few_shot_draw": "per_seed"},
    )


def test_ids_name_shots_and_seed_behind_any_number_of_options():
    run = spec("maple", seed=2, attributes=["color", "shape", "texture"], init="a photo of a very long beginning")
    assert run.id == f"small/{BACKBONE}/{run.id.split('/')[-1]}"
    assert run.id.endswith(f"-4shot-seed2-{run.digest}")
    assert len(run.id.split("/")[-1]) < 100


def transfer(world, specs, *targets, prepared: Prepared | None = None) -> Transfer:
    """To other names of the small data set; prepared: of the others."""
    names = {target.dataset for target in targets} - {"small"}
    return Transfer(
        targets={each.id: targets for each in specs},
        frozen=dict.fromkeys(names, replace(world.frozen, prepared=prepared or world.prepared)),
        images=dict.fromkeys(names, str(world.caches[specs[0].test_cache])),
    )


def scores(line: dict) -> dict[tuple[str, str], float]:
    return {(each["dataset"], each["classes"]): each["last"]["accuracy"] for each in line["evaluations"]}


METHODS_HERE = ("coop", "cocoop", "maple", "dept", "promptsrc")


@pytest.mark.parametrize("method", METHODS_HERE)
def test_base_and_new_classes_are_scored(world, tmp_path, method):
    one = spec(method, attributes=["color"])
    (line,) = world.train([one], tmp_path, transfer=transfer(world, [one], NEW))
    assert line["outcome"] == "finished"
    assert set(scores(line)) == {("small", "base"), ("small", "new")}
    assert [each["images"] for each in line["evaluations"]] == [8, 4]  # two of three classes are base
    assert scores(line)["small", "new"] == 100  # one class alone


def test_a_new_target_trains_nothing_again(world, tmp_path):
    runs = [spec("coop"), spec("maple", 2)]
    before = world.train(runs, tmp_path, transfer=transfer(world, runs, NEW))
    learners = [Store(tmp_path / "runs").learner(run.id).stat().st_mtime_ns for run in runs]
    target = Target("other", "all")
    after = world.train(runs, tmp_path, transfer=transfer(world, runs, NEW, target))
    assert [Store(tmp_path / "runs").learner(run.id).stat().st_mtime_ns for run in runs] == learners
    for old, new in zip(before, after, strict=True):
        assert new["evaluations"][:2] == old["evaluations"]
        assert new["evaluations"][2]["dataset"] == "other"
        assert new["evaluations"][2]["data"] == "0" * 64
        assert new["curve"] == old["curve"]


def test_another_target_data_is_scored_again(world, tmp_path):
    run, target = spec("coop"), Target("other", "all")
    world.train([run], tmp_path, transfer=transfer(world, [run], target))
    changed = tmp_path / "manifest.json"
    changed.write_text(json.dumps({"digest": "1" * 64}))
    moved = Prepared(world.prepared.split, str(changed))
    (line,) = world.train([run], tmp_path, transfer=transfer(world, [run], target, prepared=moved))
    assert [each["data"] for each in line["evaluations"]] == [None, "1" * 64]


def test_the_same_data_under_another_name_has_the_same_score(world, tmp_path):
    """A learner kept in the store scores as it did in the loop, with frozen features or without."""
    runs = [spec(method, protocol="cross_dataset") for method in METHODS_HERE]
    lines = world.train(runs, tmp_path, transfer=transfer(world, runs, Target("other", "all")))
    for line in lines:
        assert scores(line)["other", "all"] == scores(line)["small", "all"]


@pytest.mark.parametrize("method", METHODS_HERE)
def test_a_target_lends_its_attributes_to_a_run_that_is_not_trained_again(world, tmp_path, method):
    """Contexts go by their place; one of a third attribute was never trained and stays as the run's seed draws it."""
    run = spec(method, protocol="cross_dataset", attributes=["color", "shape"])
    targets = [Target("other", "all", own) for own in ((), ("color", "shape"), ("size",), ("shape", "color", "size"))]
    (line,) = world.train([run], tmp_path, transfer=transfer(world, [run], *targets))
    scored = {tuple(each["attributes"]): each["last"]["accuracy"] for each in line["evaluations"][1:]}
    assert set(scored) == {target.attributes for target in targets}
    assert scored[()] == scored["color", "shape"] == line["evaluations"][0]["last"]["accuracy"]


def test_a_context_that_was_not_trained_is_the_one_that_the_seed_draws(world, tmp_path):
    run = spec("coop", protocol="cross_dataset", attributes=["color", "shape"])
    job = world.job([run])
    world.train([run], tmp_path)
    work = _Work(job, Training(str(tmp_path / "runs"), str(tmp_path)), Store(tmp_path / "runs"), {}, {}, {}, 1)
    lent = work.learner(run, ("shape", "color", "size"))
    drawn = lent.prompting.attribute3.detach().clone()
    lent.load_state_dict(Store(tmp_path / "runs").state(run.id, "last"), strict=False)
    whole = work.learner(run.model_copy(update={"options": run.options | {"attributes": ["a", "b", "c"]}}))
    assert torch.equal(lent.prompting.attribute3, drawn) and torch.equal(drawn, whole.prompting.attribute3)
    assert not torch.equal(lent.prompting.attribute1, whole.prompting.attribute1)


@pytest.mark.parametrize("method", METHODS_HERE)
def test_packed_equals_alone(world, tmp_path, method):
    runs = [spec(method, seed, attributes=own) for seed in (1, 2) for own in ([], ["color", "shape"])]
    world.train(runs, tmp_path / "packed")
    for run in runs:
        world.train([run], tmp_path / "alone")
        one, other = (Store(tmp_path / where / "runs").state(run.id, "last") for where in ("packed", "alone"))
        for name, value in one.items():
            torch.testing.assert_close(value, other[name], rtol=0, atol=2e-5)
        assert one["prompting.context"].abs().max() > 0.01


def test_searched_attributes_come_from_the_winner(world, tmp_path):
    run = spec("coop", attributes="searched")
    result = SearchResult(
        spec=SearchSpec(dataset="small", backbone=BACKBONE, seed=1, bases=("color", "shape"), epochs=1),
        combinations=(("color",), ("shape",), ("color", "shape")),
        weights=((0.2, 0.5, 0.3),),
        train_loss=(1.0,),
        validation_loss=(1.0,),
        seconds=1.0,
        data="d0",
        backbone="b0",
    )
    found = tmp_path / "small" / BACKBONE / f"{result.spec.id}.json"
    found.parent.mkdir(parents=True)
    found.write_text(result.model_dump_json())
    (line,) = world.train([run], tmp_path, searches={run.id: str(found)})
    (named,) = world.train([spec("coop", attributes=["shape"])], tmp_path / "named")
    assert line["curve"] == named["curve"]
    assert line["fingerprint"]["attributes"] and not named["fingerprint"]["attributes"]
