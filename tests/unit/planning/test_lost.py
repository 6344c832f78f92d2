"""A run that is gone sets its job off, once."""

import shutil

import pytest

from papertables.planning import lost
from tests.unit import artefact_world as world

TRAINED, UNTRAINED = world.run("vp", "dtd", 1), world.run("zero_shot", "dtd", None)
SPECS = (TRAINED, UNTRAINED)


@pytest.fixture
def made(tmp_path):
    """The file of a job that has made its runs, and the store."""
    for spec in SPECS:
        make(tmp_path, spec)
    (tmp_path / "job.jsonl").touch()
    lost.note(tmp_path / "job.jsonl", None)
    return tmp_path / "job.jsonl", tmp_path


def make(store, spec):
    for name in spec.leaves:
        (store / spec.id).mkdir(parents=True, exist_ok=True)
        (store / spec.id / name).touch()


def test_nothing_is_told_of_a_job_that_is_whole_or_never_ended(made):
    job, store = made
    assert lost.state(store, job, SPECS) is None
    assert lost.state(store, store / "another.jsonl", [world.run("vp", "dtd", 2)]) is None


def test_a_job_that_an_earlier_version_left_without_a_note_is_looked_at(made):
    job, store = made
    job.with_suffix(".note").unlink()
    assert lost.state(store, job, SPECS) is None
    shutil.rmtree(store / TRAINED.id)
    assert lost.state(store, job, SPECS) is not None


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.method)
@pytest.mark.parametrize("what", ["folder", "metrics.json", "learner.safetensors"])
def test_what_is_gone_is_told_until_it_is_made_and_the_same_after(made, spec, what):
    job, store = made
    told = None
    for _ in range(2):  # it may happen again
        before = told
        if what == "folder":
            shutil.rmtree(store / spec.id)
        else:
            (store / spec.id / what).unlink(missing_ok=True)
        if spec is UNTRAINED and what == "learner.safetensors":
            assert lost.state(store, job, SPECS) is None  # it never had one
            return
        told = lost.state(store, job, SPECS)
        assert told not in (None, before)
        assert lost.state(store, job, SPECS) == told  # as long as it is not made
        job.unlink()  # as Snakemake does before the job begins, and asks once more
        assert lost.state(store, job, SPECS) == told
        make(store, spec)
        job.touch()
        lost.note(job, told)
        assert lost.state(store, job, SPECS) == told  # nothing sets the job off again


def test_a_damaged_note_is_read(made):
    job, store = made
    lost.note(job, "told")
    job.with_suffix(".note").write_bytes(b"\xff")
    assert lost.state(store, job, SPECS) is not None
