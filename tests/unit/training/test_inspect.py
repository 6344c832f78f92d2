"""What a run makes of the test images, against the run's own record and against formulas."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from papertables.attributes.sampling import read_attributes
from papertables.base.errors import UserError
from papertables.data import cache
from papertables.data.splits import read_split, training_indices
from papertables.methods.mapping_heads import LastLayer
from papertables.methods.mappings import random_mapping
from papertables.planning.paths import SHIPPED_WEIGHTS
from papertables.results.inspections import read_inspection
from papertables.results.mappings import read_mappings
from papertables.results.metrics import Divergence, Score
from papertables.results.store import Store
from papertables.specs.rules import InspectJob, TrainJob
from papertables.specs.spec import CacheKey, RunSpec
from papertables.training import inspect as module
from papertables.training.inspect import choose, inspect
from papertables.training.learners import sampled_sentences
from tests.unit.small_world import (
    BACKBONE,
    CLASSES,
    INNER,
    NOWHERE,
    SIDE,
    World,
    draw_dataset,
    frozen,
    said,
    spec,
    train,
)

pytestmark = pytest.mark.slow

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


def make(world, name, selection="best", folder="inspections"):
    run = spec(name)
    out = world.folder / folder / selection / f"{run.id}.safetensors"
    job = InspectJob(
        run,
        str(world.results / "job.jsonl"),
        world.frozen,
        "test",
        plain=str(world.caches[PLAIN]),
        own=str(world.caches[run.test_cache]),
        sentences=world.sources["small"] if run.attributes else None,
    )
    inspect(job, selection, Store(world.results / "runs"), out)
    return read_inspection(out)


@pytest.mark.parametrize("selection", ["best", "last"])
@pytest.mark.parametrize("name", METHODS)
def test_the_accuracy_after_is_the_one_on_record(world, name, selection):
    content = make(world, name, selection)
    score = world.lines[name]["evaluations"][0][selection]
    assert content.accuracy("after") == pytest.approx(score["accuracy"])
    assert (content.run, content.selection, content.class_names) == (spec(name).id, selection, CLASSES)


def test_features_are_of_length_one_and_plain_ones_are_the_frozen_ones(world):
    content = make(world, "attrvr")
    for state in ("before", "after"):
        np.testing.assert_allclose(np.linalg.norm(content.images(state), axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(content.images("before"), said(world.frozen).plain_features)
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
    assert content.texts()["name"].shape == (3, 1, said(world.frozen).classes.shape[1])


def test_the_same_again_gives_the_same_bytes(world):
    for folder in ("one", "two"):
        make(world, "attrvr", folder=folder)
    (one,), (two,) = ((world.folder / folder).rglob("*.safetensors") for folder in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_choice_of_the_shown():
    labels = np.array([0, 0, 1, 1, 2, 2])
    before, after = np.array([0, 0, 1, 1, 0, 0]), np.array([0, 1, 1, 1, 0, 2])
    assert choose(labels, before, after).tolist() == [1, 5, 2]
    assert choose(labels, before, after, most=2).tolist() == [1, 5]


def test_a_missing_or_damaged_learner_is_named(world):
    path = Store(world.results / "runs").learner(spec("ar").id)
    content = path.read_bytes()
    try:
        for damaged in (b"nonsense", None):
            path.write_bytes(damaged) if damaged else path.unlink()
            with pytest.raises(UserError, match=r"learner\.safetensors: damaged"):
                make(world, "ar")
    finally:
        path.write_bytes(content)


def test_a_run_that_diverged_leaves_a_file_without_tensors(world):
    store, run = Store(world.results / "runs"), spec("ar").id
    metrics = store.read(run)
    evaluations = [each.model_copy(update={"best": None, "last": None}) for each in metrics.evaluations]
    gone = {"outcome": "diverged", "diverged": Divergence(epoch=1, step=2), "evaluations": evaluations, "curve": []}
    try:
        store.write(metrics.model_copy(update=gone))
        content = make(world, "ar")
        assert (content.run, content.tensors) == (run, {})
    finally:
        store.write(metrics)


def test_the_best_epoch_of_a_run_that_diverged_is_looked_at(world):
    store, run = Store(world.results / "runs"), spec("ar").id
    metrics, whole = store.read(run), make(world, "ar")
    curve = metrics.curve[:2]
    scores = [Score(epoch=each.epoch, accuracy=each.test_accuracy) for each in curve]
    before = {"best": max(scores, key=lambda each: each.accuracy), "last": scores[-1]}
    evaluations = [each.model_copy(update=before) for each in metrics.evaluations]
    ended = {"outcome": "diverged", "diverged": Divergence(epoch=3, step=2), "evaluations": evaluations}
    try:
        store.write(metrics.model_copy(update=ended | {"curve": curve}))
        kept = make(world, "ar")
        assert np.array_equal(kept.predicted("after"), whole.predicted("after"))
        assert make(world, "ar", "last").tensors == {}
    finally:
        store.write(metrics)


def test_features_come_in_batches(world, monkeypatch):
    whole = make(world, "ar").images("after")
    monkeypatch.setattr(module, "IMAGES_PER_CALL", 5)
    torch.testing.assert_close(torch.tensor(make(world, "ar").images("after")), torch.tensor(whole), rtol=0, atol=1e-5)


CLASSIFIER, PATCH = "mini-cls-rn", 4
MASKS = {"layers": 5, "patch": PATCH, "channels": 3, "width": 2}
MAPPED = {  # method and options
    "smm": ("smm", MASKS | {"mapping": "ilm"}),
    "single channel": ("smm", MASKS | {"channels": 1, "mapping": "ilm"}),
    "only mask": ("only_mask", MASKS | {"mapping": "ilm"}),
    "blm": ("padding", {"inner": INNER, "mapping": "blm"}),
    "rlm": ("padding", {"inner": INNER, "mapping": "rlm"}),
    "learned": ("watermark", {"pad": 6, "mapping": "learned"}),
    "last layer": ("finetune", {"mapping": "last_layer"}),
    "whole": ("full_finetuning", {"mapping": "last_layer"}),
}


class MappedWorld:
    """Runs that map the labels of one backbone."""

    def __init__(self, folder, backbone, weights, names, fit):
        self.folder, self.weights, self.dataset = folder, weights, draw_dataset(folder)
        self.results = folder / "results"
        self.specs = {name: self._spec(*MAPPED[name], backbone, fit) for name in names}
        self.plain = CacheKey("test", "crop" if fit == "short" else fit, SIDE)
        keys = {key for run in self.specs.values() for key in (run.train_cache, run.test_cache)} | {self.plain}
        self.caches = {key: folder / f"{'-'.join(map(str, key))}.safetensors" for key in keys}
        for key, path in self.caches.items():
            cache.build(self.dataset, key.part, key.size, key.fit, None, path)
        described = {"template": "a {}.", "source_labels": True}
        self.frozen = frozen(folder, self.caches[self.plain], backbone, weights, **described)
        job = TrainJob(
            tuple(self.specs.values()),
            self.frozen,
            caches={key: str(path) for key, path in self.caches.items()},
            sentences={},
            searches={},
            transfer=NOWHERE,
        )
        self.lines = dict(zip(names, train(job, self.results), strict=True))

    @staticmethod
    def _spec(method, options, backbone, fit):
        return RunSpec(
            method=method,
            options={"laplace": 1, "ratio": 0.5} | options,
            backbone=backbone,
            dataset="small",
            protocol="full",
            image_size=options.get("inner", SIDE),
            images={"fit": fit, "augmentation": "none"},
            seed=3,
            training={
                "epochs": 3,
                "batch_size": 6,
                "optimizer": {"name": "adam", "lr": 0.1},
                "schedule": {"name": "constant"},
            },
            fidelity={},
        )

    def cache(self, key):
        path = self.caches.setdefault(key, self.folder / f"{'-'.join(map(str, key))}.safetensors")
        if not path.exists():
            cache.build(self.dataset, key.part, key.size, key.fit, None, path)
        return str(path)

    def inspect(self, name, selection="last", part="test"):
        run, out = self.specs[name], self.folder / part / selection / f"{self.specs[name].id}.safetensors"
        job = InspectJob(
            run,
            str(self.results / "job.jsonl"),
            self.frozen,
            part,
            plain=self.cache(self.plain._replace(part=run.shown_cache(part).part)),
            own=self.cache(run.shown_cache(part)),
        )
        inspect(job, selection, Store(self.results / "runs"), out)
        return read_inspection(out)

    def history(self, name):
        return read_mappings(Store(self.results / "runs").mappings(self.specs[name].id))


@pytest.fixture(scope="module")
def classified(tmp_path_factory):
    weights = SHIPPED_WEIGHTS / f"{CLASSIFIER}.safetensors"
    return MappedWorld(tmp_path_factory.mktemp("classified"), CLASSIFIER, weights, list(MAPPED), "square")


@pytest.fixture(scope="module")
def prompted(tmp_path_factory, world):
    return MappedWorld(tmp_path_factory.mktemp("prompted"), BACKBONE, world.weights, ["smm", "blm"], "short")


@pytest.mark.parametrize("selection", ["best", "last"])
@pytest.mark.parametrize("name", MAPPED)
def test_the_accuracy_after_a_classifiers_run_is_the_one_on_record(classified, name, selection):
    content = classified.inspect(name, selection)
    score = classified.lines[name]["evaluations"][0][selection]
    assert content.accuracy("after") == pytest.approx(score["accuracy"])


def test_the_accuracy_after_a_mapped_clip_is_the_one_on_record(prompted):
    for name in ("smm", "blm"):
        content = prompted.inspect(name)
        assert content.accuracy("after") == pytest.approx(prompted.lines[name]["evaluations"][0]["last"]["accuracy"])
        np.testing.assert_allclose(np.linalg.norm(content.images("after"), axis=1), 1, rtol=1e-5)
        assert content.source_names[0] == "This is a photo of a red spot."
        assert len(content.source_names) == 81 * len(CLASSES)


def first_logits(world, name):
    """Logits of plain images through the mapping that the run began with."""
    frozen = said(world.frozen)
    logits = frozen.images @ frozen.weight.T + frozen.bias
    match name:
        case "rlm":
            return logits[:, random_mapping(logits.shape[1], len(CLASSES), 3)]
        case "last layer" | "whole":
            with torch.no_grad():
                return LastLayer(frozen.weight.shape[1], len(CLASSES), 3)(frozen.images)
        case "blm":
            sources, weights = (torch.from_numpy(world.history(name)[key][0]) for key in ("sources", "weights"))
            chosen = logits[:, sources.long()]  # (N, C, K)
            return (chosen * weights.float()).sum(-1) / weights.float().sum(-1)
    return logits[:, torch.from_numpy(world.history(name)["sources"][0][:, 0]).long()]


@pytest.mark.parametrize("name", ["smm", "blm", "rlm", "last layer", "whole"])
def test_before_is_the_untrained_learner_with_its_first_mapping_on_plain_images(classified, name):
    content, logits = classified.inspect(name), first_logits(classified, name)
    labels = torch.from_numpy(content.labels)
    np.testing.assert_array_equal(content.predicted("before"), logits.argmax(1))
    np.testing.assert_allclose(content.loss("before"), F.cross_entropy(logits, labels, reduction="none"), rtol=1e-4)
    probabilities = logits.softmax(1)[torch.arange(len(labels)), labels]
    np.testing.assert_allclose(content.confidence("before"), probabilities, rtol=1e-4)
    assert np.abs(content.loss("after") - content.loss("before")).max() > 1e-3


def test_training_images_are_shown_as_tests_resize_them(classified):
    content, alone = (classified.inspect(name, part="train") for name in ("smm", "last layer"))
    train = read_split(classified.dataset / "split.json").train
    assert content.labels.tolist() == [item.label for item in train]
    np.testing.assert_allclose(alone.images("before"), alone.images("after"), rtol=1e-5)  # which leaves pixels alone
    np.testing.assert_array_equal(content.images("before"), alone.images("before"))
    logits = content.images("after") @ content.tensors["source.weight"].T + content.tensors["source.bias"]
    np.testing.assert_array_equal(content.source_logits("after"), logits)
    assert logits.shape == (len(train), 80)


def test_a_run_is_shown_on_what_it_trained_on(classified):
    whole = classified.specs["last layer"]
    half = whole.model_copy(update={"fraction": 0.5})
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(classified.specs, "last layer", half)
        store = Store(classified.results / "runs")
        recorded = store.record(whole.id)
        for name in ("metrics.json", "learner.safetensors"):
            target = store.root / half.id / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((store.root / whole.id / name).read_bytes())
        patched.setattr(Store, "record", lambda self, run: recorded)
        content = classified.inspect("last layer", part="train")
    kept = training_indices(read_split(classified.dataset / "split.json"), half)
    every = classified.inspect("last layer", part="train")
    assert 0 < len(kept) < len(every.labels)
    np.testing.assert_array_equal(content.images("before"), every.images("before")[np.sort(kept)])


@pytest.mark.parametrize("name", METHODS)
def test_losses_and_confidences_of_a_method_that_maps_no_labels(world, name):
    content = make(world, name)
    for state in ("before", "after"):
        np.testing.assert_allclose(content.confidence(state), np.exp(-content.loss(state)), rtol=1e-5)
        sure = content.confidence(state) > 0.5
        np.testing.assert_array_equal(content.predicted(state)[sure], content.labels[sure])
        right = content.predicted(state) == content.labels
        assert (content.confidence(state)[right] >= 1 / len(CLASSES)).all()
    assert content.source_names == () and content.masks is None


def test_features_of_a_classifier_keep_their_lengths(classified):
    content, frozen = classified.inspect("smm"), said(classified.frozen)
    np.testing.assert_array_equal(content.images("before"), frozen.images)
    assert np.ptp(np.linalg.norm(content.images("after"), axis=1)) > 1e-3
    assert content.texts() == {}
    assert content.source_names == frozen.source_names and len(content.source_names) == 80


@pytest.mark.parametrize(("name", "channels"), [("smm", 3), ("single channel", 1)])
def test_masks_and_the_pattern_under_them_make_the_picture(classified, name, channels):
    content, frozen = classified.inspect(name), said(classified.frozen)
    masks, patterns, shown = content.masks, content.patterns, len(content.shown)
    assert masks.shape == (shown, channels, SIDE, SIDE) and patterns.shape == (shown, 3, SIDE, SIDE)
    corners = masks[:, :, ::PATCH, ::PATCH]
    np.testing.assert_array_equal(masks, corners.repeat(PATCH, 2).repeat(PATCH, 3))
    assert np.ptp(corners) > 0 and np.abs(patterns).max() > 0
    std = np.array(frozen.std, np.float32).reshape(3, 1, 1)
    expected = (content.pictures("before") / 255 + patterns * std).clip(0, 1) * 255
    assert np.abs(content.pictures("after") - expected).max() < 0.51


@pytest.mark.parametrize("name", ["only mask", "blm", "last layer"])
def test_what_has_no_program_under_masks(classified, name):
    content = classified.inspect(name)
    assert content.masks is None and content.patterns is None


def test_missing_mappings_are_named(classified):
    path = Store(classified.results / "runs").mappings(classified.specs["blm"].id)
    content = path.read_bytes()
    path.unlink()
    try:
        with pytest.raises(UserError, match=r"mappings\.npz: no label mappings"):
            classified.inspect("blm")
    finally:
        path.write_bytes(content)
