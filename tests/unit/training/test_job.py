"""A job from its inputs to its metrics, on the small world."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from papertables.attributes.sampling import read_attributes
from papertables.backbones.frozen_features import sentence_features
from papertables.base.errors import UserError
from papertables.base.seals import SEAL
from papertables.data.splits import read_split
from papertables.results.metrics import Metrics
from papertables.results.store import Store
from papertables.training.checkpoint import Checkpoint
from papertables.training.learners import sampled_sentences
from tests.unit import small_world
from tests.unit.small_world import INNER, PER_CLASS, World, said, spec, tower

pytestmark = pytest.mark.slow

EVERY_EPOCH = {"checkpoint_seconds": 0}  # how often it is saved
TIMES = ("cost", "versions", "git_commit")  # what may differ between two runs of the same


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"))


def results(lines: list[dict]) -> list[dict]:
    return [{key: value for key, value in line.items() if key not in TIMES} for line in lines]


def learners(folder, specs) -> list[dict]:
    """Without their checksums."""
    states = [load_file(Store(folder / "runs").learner(each.id)) for each in specs]
    return [{name: value for name, value in state.items() if name != SEAL} for state in states]


def same(some: list[dict], others: list[dict]) -> bool:
    return all(
        one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
        for one, other in zip(some, others, strict=True)
    )


ALL = [spec("zero_shot"), spec("attr_zs"), spec("vp"), spec("ar"), spec("attrvr"), spec("vp", 2, epochs=1)]
PACKED = [spec("ar"), spec("ar", 2), spec("attrvr"), spec("attrvr", 2)]


def test_every_method_and_the_form_of_its_metrics(world, tmp_path):
    lines = world.train(ALL, tmp_path)
    assert [line["run"] for line in lines] == [each.id for each in ALL]
    store = Store(tmp_path / "runs")
    assert (tmp_path / "job.jsonl").read_text() == "".join(store.line(each.id) for each in ALL)
    for each, line in zip(ALL, lines, strict=True):
        metrics = Metrics.model_validate(line)
        assert metrics.outcome == "finished"
        assert (metrics.computed.precision, metrics.computed.device) == ("fp32", "cpu")  # whatever the spec asks for
        assert metrics.evaluations[0].images == PER_CLASS["test"] * 3
        assert len(metrics.curve) == (each.training.epochs if each.training else 0)
        assert store.learner(each.id).exists() == bool(each.training)
        assert metrics.parameters == (0 if not each.training else 3 * (48**2 - INNER**2))
        if each.training:
            best = max(epoch.test_accuracy for epoch in metrics.curve)
            assert metrics.evaluations[0].best.accuracy == best
            assert metrics.evaluations[0].last.accuracy == metrics.curve[-1].test_accuracy
    assert not list((tmp_path / "checkpoints").glob("*.pt"))


def test_two_runs_are_identical(world, tmp_path):
    once = world.train(PACKED, tmp_path / "a")
    again = world.train(PACKED, tmp_path / "b")
    assert results(once) == results(again)
    assert same(learners(tmp_path / "a", PACKED), learners(tmp_path / "b", PACKED))


def test_packed_equals_alone(world, tmp_path):
    """Within 1e-5 of programs that reach 0.1 to 1: the sums of a matrix product may be ordered otherwise in a larger
    batch (measured: 4e-7)."""
    world.train(PACKED, tmp_path / "packed")
    for each in PACKED:
        world.train([each], tmp_path / "alone")
    together, alone = learners(tmp_path / "packed", PACKED), learners(tmp_path / "alone", PACKED)
    for one, other in zip(together, alone, strict=True):
        assert one["last.pixels.program"].abs().max() > 0.1
        for name in one:
            torch.testing.assert_close(one[name], other[name], rtol=0, atol=1e-5)


class Killed(BaseException):
    pass


@pytest.mark.parametrize("moment", ["after the first epoch", "while metrics are written"])
def test_resumed_equals_uninterrupted(world, tmp_path, monkeypatch, moment):
    whole = world.train(PACKED, tmp_path / "whole", training=EVERY_EPOCH)

    def kill_first(checkpoint, runs, place, force, save=Checkpoint.save):
        save(checkpoint, runs, place, force)
        if place.epoch == 1:
            raise Killed

    def kill_writing(store, metrics, learner=None, mappings=None, write=Store.write):
        if metrics.run == PACKED[2].id:
            raise Killed
        write(store, metrics, learner, mappings)

    with monkeypatch.context() as patched:
        if moment == "after the first epoch":
            patched.setattr(Checkpoint, "save", kill_first)
        else:
            patched.setattr(Store, "write", kill_writing)
        with pytest.raises(Killed):
            world.train(PACKED, tmp_path / "cut", training=EVERY_EPOCH)
    assert list((tmp_path / "cut" / "checkpoints").glob("*.pt"))
    resumed = world.train(PACKED, tmp_path / "cut", training=EVERY_EPOCH)
    assert results(resumed) == results(whole)
    assert same(learners(tmp_path / "cut", PACKED), learners(tmp_path / "whole", PACKED))


def test_a_damaged_checkpoint_is_not_used(world, tmp_path):
    whole = world.train(PACKED[:1], tmp_path / "whole")

    def killed(*_):
        raise Killed

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Store, "write", killed)
        with pytest.raises(Killed):
            world.train(PACKED[:1], tmp_path / "cut")
    (checkpoint,) = (tmp_path / "cut" / "checkpoints").glob("*.pt")
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    assert results(world.train(PACKED[:1], tmp_path / "cut")) == results(whole)


def test_a_diverged_run_ends_alone(world, tmp_path):
    sound, bad = spec("vp"), spec("vp", 2, lr=1e38)
    lines = world.train([sound, bad], tmp_path / "both")
    assert [line["outcome"] for line in lines] == ["finished", "diverged"]
    assert lines[1]["diverged"] == {"epoch": 1, "step": 2}
    assert lines[1]["curve"] == []
    assert lines[1]["evaluations"][0]["best"] is None
    world.train([sound], tmp_path / "alone")
    (one,), (other,) = (learners(tmp_path / folder, [sound]) for folder in ("both", "alone"))
    torch.testing.assert_close(one["last.pixels.program"], other["last.pixels.program"], rtol=0, atol=1e-5)
    assert world.train([sound, bad], tmp_path / "both") == lines


def test_only_what_is_missing_is_made(world, tmp_path, monkeypatch):
    made = []
    write = Store.write
    monkeypatch.setattr(Store, "write", lambda self, m, *files: (made.append(m.run), write(self, m, *files)))
    some = ALL[:3]
    first = world.train(some, tmp_path)
    assert made == [each.id for each in some]
    made.clear()
    assert world.train(some, tmp_path) == first
    assert made == []
    world.train(some, tmp_path, training={"retrain": "small/mini-vit/vp-*"})
    assert made == [some[2].id]
    made.clear()
    (Store(tmp_path / "runs").root / some[0].id / "metrics.json").write_text("{")
    world.train(some, tmp_path)
    assert made == [some[0].id]
    made.clear()
    world.train(some, tmp_path, frozen=replace(world.frozen, template="a {}."))
    assert made == [some[0].id, some[2].id]


def test_changed_sentences_make_only_their_runs_again(world, tmp_path):
    some = [spec("zero_shot"), spec("attr_zs")]
    before = world.train(some, tmp_path)
    path = tmp_path / "other.json"
    sentences = json.loads(world.sentences[0].read_text())
    path.write_text(json.dumps({name: texts[::-1] for name, texts in sentences.items()}))
    changed = small_world.sentences(tmp_path, (path, world.sentences[1]), world.weights)
    after = world.train(some, tmp_path, sentences={"small": changed})
    assert after[0] == before[0]
    assert after[1]["fingerprint"]["attributes"] != before[1]["fingerprint"]["attributes"]


def test_a_gpu_that_is_not_there(world, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="no GPU"):
        world.train([spec("vp")], tmp_path, training={"device": "cuda"})


def test_two_classes_of_one_name_stay_two_classes(tmp_path, monkeypatch):
    """As ImageNet's missiles: one entry of sentences and one prompt for both, but each its own images and labels."""
    monkeypatch.setattr(small_world, "CLASSES", ("red_spot", "green spot", "green spot"))
    world = World(tmp_path)
    run = spec("attrvr", epochs=1)
    (line,) = world.train([run], tmp_path / "done")
    assert line["evaluations"][0]["images"] == 3 * PER_CLASS["test"]
    frozen = said(world.frozen)
    assert frozen.class_names == small_world.CLASSES
    assert frozen.classes.shape[0] == 3 and torch.equal(frozen.classes[1], frozen.classes[2])
    sentences = sampled_sentences(run, read_split(world.dataset / "split.json"), read_attributes(*world.sentences))
    for rows in sentences.values():
        assert [len(row) for row in rows] == [3, 3, 3]
        assert all("green spot" in text for row in rows[1:] for text in row)
    kept = world.sources["small"]
    known = sentence_features(kept, lambda: tower(kept))
    assert known.chosen(sentences["descriptive"]).shape[:2] == (3, 3)
