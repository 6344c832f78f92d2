"""Which runs of a store are valid: of the same code, or of earlier code with the same numbers."""

import json
from pathlib import Path

import pytest

from papertables.methods.table import METHODS, method_code
from papertables.results import store as module
from papertables.results.metrics import Fingerprint
from papertables.results.store import Store, same_numbers
from papertables.spec import RunSpec
from tests.unit import artefact_world as world

RECORD = Path(__file__).parents[1] / "recorded" / "fingerprints.json"
OLD = json.loads(RECORD.read_text())  # digests of the methods' code, before it was moved the first time


def fingerprint(method: str, **changes) -> Fingerprint:
    given = {"data": "d", "backbone": "b", "attributes": None, "method": method, "numerics": 1}
    return Fingerprint(**(given | changes))


def recorded(folder: Path, method: str, code: str) -> tuple[Store, RunSpec]:
    """A store with one run of a method, left by code of that digest."""
    spec = world.run("vp", "dtd", 1).model_copy(update={"method": method})
    store = Store(folder)
    store.write(world.metrics_of(spec, 60.0, 50.0).model_copy(update={"fingerprint": fingerprint(code)}))
    return store, spec


def test_a_digest_is_recorded_of_every_method():
    assert set(OLD) == set(METHODS)


@pytest.mark.parametrize("method", OLD)
def test_runs_from_before_the_code_was_moved_stay_valid(method, tmp_path):
    store, spec = recorded(tmp_path, method, OLD[method])
    assert store.missing([spec], {spec.id: fingerprint(method_code(method))}) == []
    assert store.missing([spec], {spec.id: fingerprint(method_code(method), data="other")}) == [spec]


@pytest.mark.parametrize("method", OLD)
def test_runs_of_unknown_code_are_missing(method, tmp_path):
    store, spec = recorded(tmp_path, method, "0" * 64)
    assert store.missing([spec], {spec.id: fingerprint(method_code(method))}) == [spec]


@pytest.mark.parametrize("method", OLD)
def test_a_method_takes_no_runs_of_another_ones_code(method, tmp_path):
    other = next(code for name, code in OLD.items() if name != method)
    store, spec = recorded(tmp_path, method, other)
    assert store.missing([spec], {spec.id: fingerprint(method_code(method))}) == [spec]


def test_code_that_moved_twice_is_followed_forwards_alone(monkeypatch):
    monkeypatch.setattr(module, "equivalents", lambda: {"first": "second", "second": "third"})
    for before, now in (("first", "third"), ("second", "third"), ("first", "second"), ("third", "third")):
        assert same_numbers(fingerprint(before), fingerprint(now))
    for before, now in (("third", "first"), ("second", "first"), ("first", "fourth"), ("fourth", "third")):
        assert not same_numbers(fingerprint(before), fingerprint(now))
    assert not same_numbers(fingerprint("first"), fingerprint("third", numerics=2))
