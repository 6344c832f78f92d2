"""What a run makes of the test images, against the run's own record and against formulas."""

import numpy as np
import pytest
import torch

from papertables import embed, encode
from papertables.attributes.sampling import read_attributes
from papertables.data import cache
from papertables.data.splits import read_split
from papertables.errors import UserError
from papertables.jobs import sampled_sentences
from papertables.spec import CacheKey
from papertables.store import Store

from .small_world import CLASSES, INNER, SIDE, World, spec

PLAIN = CacheKey("test", "crop", SIDE)
METHODS = ("attr_zs", "vp", "ar", "attrvr")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("world"))
    world.results = world.folder / "results"
    world.lines = {
        each["spec"]["method"]: each for each in world.train([spec(name) for name in METHODS], world.results)
    }
    return world


def make(world, name, selection="best", out="embedded.safetensors"):
    run = spec(name)
    embed.embed(
        run,
        runs=world.results / "runs",
        dataset=world.dataset,
        cache_plain=world.caches[PLAIN],
        cache_own=world.caches[run.test_cache],
        encoded=world.encoded,
        attributes=world.sentences if run.attributes else None,
        weights=world.weights,
        out=world.folder / out,
        selection=selection,
    )
    return embed.read(world.folder / out)


@pytest.mark.parametrize("selection", ["best", "last"])
@pytest.mark.parametrize("name", METHODS)
def test_the_accuracy_after_is_the_one_on_record(world, name, selection):
    content = make(world, name, selection)
    score = world.lines[name]["evaluations"][0][selection]
    assert content.accuracy("after") == pytest.approx(score["accuracy"])
    assert (content.run, content.selection, content.class_names) == (spec(name).id, selection, CLASSES)


def test_features_are_of_length_one_and_plain_ones_are_those_of_the_encoding(world):
    content = make(world, "attrvr")
    for state in ("before", "after"):
        np.testing.assert_allclose(np.linalg.norm(content.images(state), axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(content.images("before"), encode.read(world.encoded).images)
    assert np.abs(content.images("after") - content.images("before")).max() > 1e-3


def test_before_equals_after_where_pixels_are_left_alone(world):
    content = make(world, "attr_zs")
    np.testing.assert_array_equal(content.images("before"), content.images("after"))
    np.testing.assert_array_equal(content.predicted("before"), content.predicted("after"))


@pytest.mark.parametrize("state", ["before", "after"])
def test_the_nearest_sentence_has_the_largest_cosine_among_the_sampled(world, state):
    content, run = make(world, "attrvr"), spec("attrvr")
    split = read_split(world.dataset / "split.json")
    sampled = sampled_sentences(run, split, read_attributes(*world.sentences))
    for kind, chosen in sampled.items():
        assert content.sentences[kind] == tuple(text for row in chosen for text in row)
        cosines = content.images(state) @ content.texts()[kind].reshape(len(CLASSES) * 3, -1).T
        found = cosines[np.arange(len(cosines)), content.nearest(state, kind)]
        np.testing.assert_allclose(found, cosines.max(1), rtol=1e-6)
        np.testing.assert_allclose(content.cosines(state, kind), cosines.max(1), rtol=1e-5)


def test_pictures_are_the_plain_image_and_the_image_in_its_frame(world):
    content = make(world, "attrvr")
    plain, own = cache.read(world.caches[PLAIN]), cache.read(world.caches[CacheKey("test", "crop", INNER)])
    before = (SIDE - INNER + 1) // 2
    for number, row in enumerate(content.shown):
        np.testing.assert_array_equal(content.pictures("before")[number], plain.image(row))
        inside = content.pictures("after")[number][:, before : before + INNER, before : before + INNER]
        assert np.abs(inside.astype(int) - own.image(row)).max() <= 1


def test_a_method_without_attributes_has_class_prompts(world):
    content = make(world, "vp")
    assert content.sentences == {}
    assert content.texts()["name"].shape == (3, 1, encode.read(world.encoded).classes.shape[1])


def test_the_same_again_gives_the_same_bytes(world):
    make(world, "attrvr", out="one.safetensors")
    make(world, "attrvr", out="two.safetensors")
    assert (world.folder / "one.safetensors").read_bytes() == (world.folder / "two.safetensors").read_bytes()


def test_choice_of_the_shown():
    labels = np.array([0, 0, 1, 1, 2, 2])
    before, after = np.array([0, 0, 1, 1, 0, 0]), np.array([0, 1, 1, 1, 0, 2])
    assert embed.choose(labels, before, after).tolist() == [1, 5, 2]
    assert embed.choose(labels, before, after, most=2).tolist() == [1, 5]


def test_a_missing_or_damaged_learner_is_named(world):
    path = Store(world.results / "runs").learner(spec("ar").id)
    content = path.read_bytes()
    try:
        for damaged in (b"nonsense", None):
            path.write_bytes(damaged) if damaged else path.unlink()
            with pytest.raises(UserError, match=r"learner\.safetensors: no trained learner"):
                make(world, "ar")
    finally:
        path.write_bytes(content)


def test_features_come_in_batches(world, monkeypatch):
    whole = make(world, "ar").images("after")
    monkeypatch.setattr(embed, "IMAGES_PER_CALL", 5)
    torch.testing.assert_close(torch.tensor(make(world, "ar").images("after")), torch.tensor(whole), rtol=0, atol=1e-5)
