"""Which runs of a store are valid: of the same code, or of earlier code with the same numbers."""

import json
from pathlib import Path

import pytest

from papertables.base.seals import sealed_json
from papertables.methods.table import METHODS, method_code
from papertables.results import store as module
from papertables.results.metrics import Divergence, Fingerprint, Metrics
from papertables.results.store import Store, same_numbers
from papertables.specs.spec import FORMER_TESTS, Fidelity, RunSpec
from tests.unit import artefact_world as world

RECORD = Path(__file__).parents[1] / "recorded" / "fingerprints.json"
OLD = json.loads(RECORD.read_text())  # digests of the methods' code, before it was moved the first time


def fingerprint(method: str, **changes) -> Fingerprint:
    given = {"data": "d0", "backbone": "b0", "attributes": None, "method": method, "numerics": 1}
    return Fingerprint(**(given | changes))


def recorded(folder: Path, method: str, code: str) -> tuple[Store, RunSpec]:
    """A store with one run of a method, left by code of that digest."""
    trained = METHODS[method].trains
    spec = world.run("vp", "dtd", 1).model_copy(update={"method": method} | ({} if trained else {"training": None}))
    store = Store(folder)
    store.write(world.metrics_of(spec, 60.0, 60.0).model_copy(update={"fingerprint": fingerprint(code)}), world.LEARNER)
    return store, spec


def test_a_digest_is_recorded_of_every_method():
    assert set(OLD) == set(METHODS)


@pytest.mark.parametrize("method", OLD)
def test_runs_from_before_the_code_was_moved_stay_valid(method, tmp_path):
    store, spec = recorded(tmp_path, method, OLD[method])
    assert store.missing([spec], {spec.id: fingerprint(method_code(method))}) == []
    assert store.missing([spec], {spec.id: fingerprint(method_code(method), data="d1")}) == [spec]


@pytest.mark.parametrize("method", OLD)
def test_runs_of_unknown_code_are_missing(method, tmp_path):
    store, spec = recorded(tmp_path, method, "0" * 64)
    assert store.missing([spec], {spec.id: fingerprint(method_code(method))}) == [spec]


@pytest.mark.parametrize("method", OLD)
def test_a_method_takes_no_runs_of_another_ones_code(method, tmp_path):
    other = next(code for name, code in OLD.items() if name != method)
    store, spec = recorded(tmp_path, method, other)
    assert store.missing([spec], {spec.id: fingerprint(method_code(method))}) == [spec]


def under(spec: RunSpec, rule: str) -> RunSpec:
    return spec.model_copy(update={"fidelity": Fidelity(on_nonfinite=rule)})


RULES = ("stop", "keep_best", "skip")
WHOLE = world.curve(60.0, 50.0, 4)
STEPS = [WHOLE[0].model_copy(update={"nonfinite_steps": 2}), *WHOLE[1:]]
ENDED = {  # in its first epoch
    "outcome": "diverged",
    "diverged": Divergence(epoch=1, step=1),
    "curve": [],
    "evaluations": world.metrics_of(world.run("vp", "dtd", 1)).evaluations,
}


@pytest.mark.parametrize(
    ("made", "changes", "valid"),
    [
        ("stop", {}, RULES),
        ("skip", {}, RULES),
        ("stop", ENDED, ("stop", "keep_best")),
        ("keep_best", ENDED, ("stop", "keep_best")),
        ("skip", {"curve": STEPS}, ("skip",)),
    ],
    ids=["finite", "finite, would skip", "stopped", "kept", "skipped"],
)
def test_a_rule_for_losses_that_are_not_finite_matters_where_there_were_any(tmp_path, made, changes, valid):
    spec, store = world.run("vp", "dtd", 1), Store(tmp_path)
    now = fingerprint("c0")
    record = world.metrics_of(under(spec, made), 60.0, 50.0).model_copy(update={"fingerprint": now, **changes})
    store.write(record, world.LEARNER)
    missing = {rule: store.missing([under(spec, rule)], {spec.id: now}) for rule in RULES}
    assert {rule for rule, found in missing.items() if not found} == set(valid)


def test_a_run_with_more_tests_serves_where_fewer_are_wanted(tmp_path):
    spec, store, now = world.run("vp", "dtd", 1), Store(tmp_path), fingerprint("c0")
    made = world.metrics_of(spec, 60.0, 50.0).model_copy(update={"fingerprint": now})
    third = made.curve[2].model_copy(update={"test_accuracy": None})
    fewer = made.model_copy(update={"curve": [*made.curve[:2], third, *made.curve[3:]]})
    for record, serves in ((made, (0, 1, 2, 3)), (fewer, (0, 2))):
        store.write(record, world.LEARNER)
        missing = {every: store.missing([spec], {spec.id: now}, tests={spec.id: every}) for every in range(4)}
        assert tuple(every for every, found in missing.items() if not found) == serves


@pytest.mark.parametrize("every", FORMER_TESTS)
def test_runs_from_when_ids_told_of_tests_are_up_to_date(tmp_path, every):
    spec, store, now = world.run("vp", "dtd", 1), Store(tmp_path), fingerprint("c0")
    record = world.metrics_of(spec, 60.0, 50.0).model_copy(update={"fingerprint": now})
    store.write(record, world.LEARNER)
    former = tmp_path / spec.former_id(every)
    (tmp_path / spec.id).rename(former)
    written = json.loads(record.model_dump_json()) | {"run": spec.former_id(every)}
    written["spec"]["training"]["evaluate_every"] = every
    (former / "metrics.json").write_bytes(sealed_json(json.dumps(written)))
    assert store.missing([spec], {spec.id: now}) == [spec]
    store.take_over([spec])
    assert store.missing([spec], {spec.id: now}, tests={spec.id: 1}) == []
    assert store.record(spec.id) == record
    assert not former.exists()


def test_a_record_in_the_folder_of_another_run_is_missing(tmp_path):
    spec, other = (world.run("vp", "dtd", seed) for seed in (1, 2))
    store, now = Store(tmp_path), fingerprint("c0")
    store.write(world.metrics_of(spec, 60.0, 50.0).model_copy(update={"fingerprint": now}), world.LEARNER)
    (tmp_path / spec.id).rename(tmp_path / other.id)
    assert store.missing([other], {other.id: now}) == [other]


def test_records_from_before_the_rule_are_of_runs_that_ended(tmp_path):
    spec = world.run("vp", "dtd", 1)
    old = world.metrics_of(spec, 60.0, 50.0).model_copy(update={"curve": WHOLE}).model_dump(mode="json")
    del old["spec"]["fidelity"]["on_nonfinite"], old["curve"][0]["nonfinite_steps"]
    read = Metrics.model_validate(old)
    assert (read.run, read.spec.fidelity.on_nonfinite, read.nonfinite) == (spec.id, "stop", {})


def test_code_that_moved_twice_is_followed_forwards_alone(monkeypatch):
    monkeypatch.setattr(module, "equivalents", lambda: {"c1": "c2", "c2": "c3"})
    for before, now in (("c1", "c3"), ("c2", "c3"), ("c1", "c2"), ("c3", "c3")):
        assert same_numbers(fingerprint(before), fingerprint(now))
    for before, now in (("c3", "c1"), ("c2", "c1"), ("c1", "c4"), ("c4", "c3")):
        assert not same_numbers(fingerprint(before), fingerprint(now))
    assert not same_numbers(fingerprint("c1"), fingerprint("c3", numerics=2))


def test_a_run_is_of_one_reading_of_its_backbone():
    """Records from before it was kept are of a backbone that is read as it was then."""
    old = Fingerprint.model_validate(
        {key: value for key, value in fingerprint("c9").model_dump().items() if key != "reading"}
    )
    assert old.reading is None
    assert same_numbers(old, fingerprint("c9"))
    assert not same_numbers(old, fingerprint("c9", reading="0123456789"))
    assert not same_numbers(fingerprint("c9", reading="0123456789"), fingerprint("c9"))
