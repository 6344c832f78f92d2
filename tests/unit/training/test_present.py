"""Each part of a run's fingerprint that changes makes the run anew, and takes it out of a partial look."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from papertables.attributes.sampling import read_attributes
from papertables.backbones import catalog
from papertables.results.store import Store
from papertables.specs.config import OwnWeights
from papertables.training import present, record
from papertables.training.present import Present
from papertables.training.record import fingerprints
from tests.unit.small_world import BACKBONE, World, spec, train

pytestmark = pytest.mark.slow

RUNS = {"zero_shot": spec("zero_shot"), "attr_zs": spec("attr_zs"), "vp": spec("vp", epochs=1)}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def store(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    train(world.job(list(RUNS.values())), folder)
    return Store(folder / "runs")


def up_to_date(store: Store, job) -> tuple[set[str], set[str]]:
    """The methods whose runs a training would not make anew, and those that a partial look takes."""
    texts = {source: read_attributes(*map(Path, each.texts)) for source, each in job.sentences.items()}
    missing = {run.id for run in store.missing(job.runs, fingerprints(job, texts, {}, store))}
    taken = Present([job], store)
    return (
        {name for name, run in RUNS.items() if run.id not in missing},
        {name for name, run in RUNS.items() if taken.of(run.id, store.read(run.id))},
    )


def other_data(job, folder, _):
    (folder / "manifest.json").write_text(json.dumps({"digest": "1" * 64}))
    prepared = replace(job.frozen.prepared, manifest=str(folder / "manifest.json"))
    return replace(job, frozen=replace(job.frozen, prepared=prepared))


def other_template(job, *_):
    return replace(job, frozen=replace(job.frozen, template="A drawing of {}."))


def other_weights(job, folder, _):
    (folder / "own.safetensors").write_bytes(b"others")
    return replace(job, frozen=replace(job.frozen, weights=str(folder / "own.safetensors")))


def other_sentences(job, folder, _):
    (small,) = job.sentences.values()
    texts = tuple(folder / Path(text).name for text in small.texts)
    for text, path in zip(small.texts, texts, strict=True):
        path.write_text(Path(text).read_text().replace("look 1", "look one"))
    return replace(job, sentences={"small": replace(small, texts=tuple(map(str, texts)))})


def other_reading(job, *_):
    own = OwnWeights(path=job.frozen.weights, mean=(0.5,) * 3, std=(0.5,) * 3)
    return replace(job, frozen=replace(job.frozen, own_weights=own))


def corrected_entry(job, _, monkeypatch):
    entries = catalog.backbones()
    entries = entries | {BACKBONE: entries[BACKBONE].model_copy(update={"image_size": 47})}
    monkeypatch.setattr(catalog, "backbones", lambda: entries)
    return job


def other_numerics(job, _, monkeypatch):
    for module in (record, present):
        monkeypatch.setattr(module, "NUMERICS", record.NUMERICS + 1)
    return job


def other_method(job, _, monkeypatch):
    code = record.method_code
    for module in (record, present):
        monkeypatch.setattr(module, "method_code", lambda name: "0" * 64 if name == "vp" else code(name))
    return job


@pytest.mark.parametrize(
    ("change", "stay"),
    [
        (lambda job, *_: job, {"zero_shot", "attr_zs", "vp"}),
        (other_data, set()),
        (other_template, {"attr_zs"}),
        (other_weights, set()),
        (other_sentences, {"zero_shot", "vp"}),
        (other_reading, set()),
        (corrected_entry, set()),
        (other_numerics, set()),
        (other_method, {"zero_shot", "attr_zs"}),
    ],
    ids=["nothing", "data", "template", "weights", "sentences", "reading", "entry", "numerics", "method"],
)
def test_a_part_that_changes(world, store, tmp_path, monkeypatch, change, stay):
    job = change(world.job(list(RUNS.values())), tmp_path, monkeypatch)
    assert up_to_date(store, job) == (stay, stay)


def test_what_another_machine_made_is_taken_as_recorded(world, store):
    job = world.job(list(RUNS.values()))
    nowhere = replace(job.frozen.prepared, manifest="nowhere.json")
    frozen = replace(job.frozen, prepared=nowhere, weights="nowhere")
    (small,) = job.sentences.values()
    sentences = {"small": replace(small, texts=("nowhere", "nowhere"))}
    taken = Present([replace(job, frozen=frozen, sentences=sentences)], store)
    assert all(taken.of(run.id, store.read(run.id)) for run in RUNS.values())
