"""The tiny classifiers: the shipped weights are what their records say; and the mixtures of their source classes."""

import hashlib
import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from papertables.backbones import mini, mini_classifiers
from papertables.data.catalog import dataset
from papertables.data.miniworld.draw import ATTRIBUTES, SHAPES, SIDE
from papertables.data.miniworld.targets import COUNTS, MIXTURES, draw_target
from papertables.data.prepare import prepare

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=mini_classifiers.NAMES)
def shipped(request):
    return request.param, mini_classifiers.load(request.param)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Every mixture, drawn once."""
    root = tmp_path_factory.mktemp("mixtures")
    for name in MIXTURES:
        draw_target(name, root / name, seed=0)
    return root


def inputs(folder, part):
    """Normalised images (N, 3, P, P) and labels (N,) of a drawn set."""
    items = json.loads((folder / "split.json").read_text())[part]
    size = (mini_classifiers.IMAGE_SIZE,) * 2
    images = [np.asarray(Image.open(folder / path).resize(size, Image.Resampling.BICUBIC)) for path, _, _ in items]
    return mini_classifiers.to_input(np.stack(images)), torch.tensor([label for _, label, _ in items])


def test_the_shipped_weights_are_small_frozen_and_fp32(shipped):
    name, model = shipped
    assert (mini.WEIGHTS / f"{name}.safetensors").stat().st_size <= 3_000_000
    assert not any(module.training for module in model.modules())
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in model.parameters())
    assert all(b.dtype in (torch.float32, torch.int64) for b in model.buffers())


def test_logits_are_the_head_of_the_features_and_pixels_get_a_gradient(shipped):
    name, model = shipped
    pixels = torch.randn(2, 3, mini_classifiers.IMAGE_SIZE, mini_classifiers.IMAGE_SIZE, requires_grad=True)
    features, logits = model.features(pixels), model(pixels)
    assert features.shape == (2, model.head.in_features)
    assert logits.shape == (2, len(mini_classifiers.labels(name)))
    torch.testing.assert_close(model.head(features), logits)
    logits.logsumexp(1).sum().backward()
    assert pixels.grad.abs().mean() > 0


def test_evaluation_treats_each_image_alone(shipped):
    _, model = shipped
    pixels = torch.randn(3, 3, mini_classifiers.IMAGE_SIZE, mini_classifiers.IMAGE_SIZE)
    alone = torch.cat([model(image[None]) for image in pixels])
    torch.testing.assert_close(model(pixels), alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", mini_classifiers.NAMES)
def test_the_source_classes_are_the_pairs_of_colour_and_shape(name):
    labels = mini_classifiers.labels(name)
    assert len(labels) == len(set(labels)) == 80
    assert {tuple(label.split()) for label in labels} == {(c, s) for c in ATTRIBUTES["colour"] for s in SHAPES}


def test_the_resnet_has_batch_norm_with_statistics_of_its_own():
    norms = [m for m in mini_classifiers.load("mini-cls-rn").modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms
    assert all(norm.num_batches_tracked > 100 and norm.running_mean.abs().sum() > 0 for norm in norms)


def test_an_unknown_name_is_a_key_error():
    for function in (mini_classifiers.labels, mini_classifiers.build, mini_classifiers.load):
        with pytest.raises(KeyError):
            function("mini-cls-mlp")


def test_the_recorded_accuracy_is_found_again(shipped):
    name, model = shipped
    record = json.loads((mini.WEIGHTS / f"{name}.json").read_text())
    found = mini_classifiers.accuracies(model, 600, seed=record["world_seed"] + 1)
    assert record["accuracy"].keys() == found.keys()
    for space, accuracy in record["accuracy"].items():
        assert abs(found[space] - accuracy) < 8, (space, found[space], accuracy)
    assert record["accuracy"]["pairs"] >= 90


def test_a_source_class_is_where_labels_says(shipped):
    name, model = shipped
    scenes, images = mini.sample_images(60, np.random.default_rng(7), {"form": "star", "size": "large"})
    guesses = model(mini_classifiers.to_input(images)).argmax(1)
    said = [mini_classifiers.labels(name)[guess] for guess in guesses]
    assert np.mean([word == f"{scene['colour']} star" for word, scene in zip(said, scenes, strict=True)]) > 0.8


def test_images_are_normalised_as_for_imagenet():
    _, images = mini_classifiers.sample(10, np.random.default_rng(0))
    x = mini_classifiers.to_input(images)
    torch.testing.assert_close(x[0, 2, 3, 4], torch.tensor((images[0, 3, 4, 2] / 255 - 0.406) / 0.225).float())


@pytest.mark.parametrize("name", mini_classifiers.NAMES)
def test_pretraining_lowers_the_loss_and_writes_weights_that_load(name, tmp_path):
    out = tmp_path / f"{name}.safetensors"
    record = mini_classifiers.pretrain(name, out, steps=60, batch=64, pool=1000, evaluate=50, log=lambda line: None)
    assert np.mean(record["losses"][-10:]) < 0.95 * np.mean(record["losses"][:5])
    assert json.loads(out.with_suffix(".json").read_text())["steps"] == 60
    assert mini_classifiers.load(name, out).head.out_features == 80


@pytest.mark.parametrize("name", mini_classifiers.NAMES)
def test_pretraining_is_seeded(name, tmp_path):
    losses = [
        mini_classifiers.pretrain(name, tmp_path / "a.safetensors", steps=2, seed=seed, batch=16, pool=40, evaluate=20,
                                  log=lambda line: None)["losses"]
        for seed in (0, 0, 1)
    ]  # fmt: skip
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize("name", MIXTURES)
def test_a_mixture_has_its_counts_and_no_image_twice(name, folders):
    split = json.loads((folders / name / "split.json").read_text())
    classes = list(MIXTURES[name].classes)
    assert 10 <= len(classes) <= 20
    for part, count in COUNTS.items():
        assert [label for _, label, _ in split[part]] == [label for label in range(len(classes)) for _ in range(count)]
        assert all(classes[label] == cls and path.startswith(f"images/{cls}/") for path, label, cls in split[part])
    paths = [path for part in split.values() for path, _, _ in part]
    images = [np.asarray(Image.open(folders / name / path)) for path in paths]
    assert len(set(paths)) == len({image.tobytes() for image in images}) == len(paths)
    assert {(image.shape, image.dtype) for image in images} == {((SIDE, SIDE, 3), np.dtype(np.uint8))}


@pytest.mark.parametrize("name", MIXTURES)
def test_a_seed_draws_a_mixture_again(name, folders, tmp_path):
    def digest(folder):
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in files)).hexdigest()

    draw_target(name, tmp_path / "again", seed=0)
    draw_target(name, tmp_path / "other", seed=1)
    assert digest(tmp_path / "again") == digest(folders / name) != digest(tmp_path / "other")


@pytest.mark.parametrize("name", MIXTURES)
def test_a_mixture_is_prepared_as_the_catalog_says(name, tmp_path):
    manifest = prepare(name, tmp_path / "ready", tmp_path / "raw", seed=1)
    entry = dataset(name)
    assert (manifest["classes"], manifest["train"]) == (entry.classes, entry.train)
    assert (entry.classes, entry.task) == (len(MIXTURES[name].classes), MIXTURES[name].task)


@pytest.mark.parametrize("name", MIXTURES)
def test_the_classes_of_a_mixture_share_no_source_class_and_unite_several(name):
    pairs = [
        {(c, s) for c in cls.get("colour", ATTRIBUTES["colour"]) for s in cls["form"]}
        for cls in MIXTURES[name].classes.values()
    ]
    assert min(map(len, pairs)) >= 4
    assert sum(map(len, pairs)) == len(set.union(*pairs)) == 80


@pytest.mark.parametrize("name", MIXTURES)
def test_uniting_source_classes_beats_one_source_class_each(name, folders, shipped):
    """The best many-to-one mapping of source labels against the best source label per class, on frozen logits."""
    _, model = shipped
    (x, labels), (x_test, labels_test) = (inputs(folders / name, part) for part in ("train", "test"))
    classes = len(MIXTURES[name].classes)
    counts = F.one_hot(model(x).argmax(1), 80).T.float() @ F.one_hot(labels, classes).float()  # (S, C)
    united = F.normalize(counts / (1 + counts.sum(1, keepdim=True)), p=1, dim=0)
    single = F.one_hot(counts.argmax(0), 80).T.float()
    logits = model(x_test)
    accuracy, best_single = (
        ((logits @ mapping).argmax(1) == labels_test).float().mean().item() for mapping in (united, single)
    )
    assert accuracy > best_single + 0.05
    assert accuracy > 3 / classes
