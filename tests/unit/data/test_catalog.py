"""The catalog of data sets, and what preparation checks against it."""

import inspect
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import open_clip
import pytest
import torchvision
from PIL import Image
from pydantic import ValidationError
from timm.data import ImageNetInfo

from papertables.attributes.names import check_names
from papertables.attributes.sampling import read_sentences, sample
from papertables.backbones.frozen_features import source_prompts
from papertables.base.errors import UserError
from papertables.data import prepare as preparing
from papertables.data.catalog import Dataset, dataset, datasets
from papertables.data.imagenet import imagenet_classes
from papertables.data.miniworld.targets import SETS
from papertables.data.prepare import prepare, verify
from papertables.data.splits import few_shot, read_split
from papertables.specs.manifests import read_manifest
from papertables.training.learners import prompt_names

REAL = [entry for entry in datasets().values() if entry.source.kind != "drawn"]
ATTRVR = {
    "caltech101",
    "dtd",
    "eurosat",
    "fgvc_aircraft",
    "food101",
    "imagenet",
    "oxford_flowers",
    "oxford_pets",
    "resisc45",
    "stanford_cars",
    "sun397",
    "ucf101",
}
FULL_DATA = {"cifar10", "cifar100", "svhn", "gtsrb", "gtsrb_final"}  # of BLM and SMM, beside sets of AttrVR
SHIFTED = {  # of ATPrompt, beside sets of AttrVR: as printed in its table 4, test images, classes
    "imagenetv2": ("ImageNetV2", 10_000, 1_000),
    "imagenet_sketch": ("ImageNet-Sketch", 50_889, 1_000),
    "imagenet_a": ("ImageNet-A", 7_500, 200),
    "imagenet_r": ("ImageNet-R", 30_000, 200),
}
MINI_SHIFTED = {"mini_source_redrawn", "mini_source_sketch", "mini_source_cluttered", "mini_source_restyled"}


def test_the_real_sets_are_there():
    assert {entry.id for entry in REAL} == ATTRVR | FULL_DATA | SHIFTED.keys()
    assert len({entry.label for entry in datasets().values()}) == len(datasets())


@pytest.mark.parametrize("entry", datasets().values(), ids=datasets())
def test_templates_take_one_class_name(entry):
    assert entry.template.count("{}") == 1
    assert entry.clip_template.count("{}") == 1
    assert entry.task == entry.task.strip() != ""


@pytest.mark.parametrize("entry", REAL, ids=lambda entry: entry.id)
def test_a_real_set_says_where_its_facts_come_from(entry):
    assert entry.notes
    assert entry.homepage
    assert entry.licence
    if entry.split.rule == "file":
        assert entry.split.file.known_hash


@pytest.mark.parametrize("entry", [entry for entry in REAL if entry.source.kind == "url"], ids=lambda entry: entry.id)
def test_a_set_has_two_addresses_and_checksums_or_says_why_not(entry):
    addresses = [sum(map(len, (file.urls for file in way))) / len(way) for way in entry.source.ways]
    assert sum(addresses) >= 2 or "second address" in entry.notes
    for file in (file for way in entry.source.ways for file in way):
        assert file.known_hash or re.search("no checksum", entry.notes, re.IGNORECASE)
        assert all(url.startswith("https://") or file.sha256 for url in file.urls)


@pytest.mark.parametrize("id", sorted(FULL_DATA))
def test_a_set_without_validation_images_is_checked_as_printed(id):
    """Against SMM's table 6; of GTSRB it prints the final set, and the released loaders read the first phase's."""
    printed = {
        "cifar10": ("CIFAR10", 50_000, 10_000, 10),
        "cifar100": ("CIFAR100", 50_000, 10_000, 100),
        "svhn": ("SVHN", 73_257, 26_032, 10),
        "gtsrb": ("GTSRB", 26_640, 12_630, 43),
        "gtsrb_final": ("GTSRB (final)", 39_209, 12_630, 43),
    }
    entry = dataset(id)
    assert (entry.label, entry.train, entry.test, entry.classes) == printed[id]
    assert entry.val == 0
    assert all(file.known_hash for file in entry.source.files)


@pytest.mark.parametrize("id", SHIFTED)
def test_a_shifted_imagenet_is_for_testing_and_has_the_names_of_imagenet(id):
    entry = dataset(id)
    assert (entry.label, entry.test, entry.classes) == SHIFTED[id]
    assert (entry.train, entry.val) == (entry.classes, 0)
    assert (entry.split.rule, entry.split.file) == ("imagenet_test", None)
    assert all(file.sha256 for file in entry.source.files)


@pytest.mark.parametrize("id", sorted(SHIFTED.keys() | MINI_SHIFTED))
def test_a_set_for_testing_has_too_few_images_for_few_shot_training(id):
    entry = dataset(id)
    assert entry.train <= 2 * entry.classes


def test_checksums_are_those_of_torchvision():
    def known(id: str) -> set[str]:
        return {file.md5 for file in dataset(id).source.files}

    readers = torchvision.datasets
    assert known("cifar10") == {readers.CIFAR10.tgz_md5}
    assert known("cifar100") == {readers.CIFAR100.tgz_md5}
    assert known("gtsrb") == set(re.findall(r'md5="([0-9a-f]{32})"', inspect.getsource(readers.GTSRB)))
    assert known("svhn") == {readers.SVHN.split_list[part][2] for part in ("train", "test")}


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"rule": "torchvision"}, "needs a reader"),
        ({"rule": "gtsrb", "names": ["one", "two"]}, "needs a train"),
        ({"rule": "folders", "train": "Training"}, "takes no train"),
        ({"rule": "gtsrb", "train": "Training"}, "needs names"),
        ({"rule": "file"}, "needs a file"),
        ({"rule": "imagenet_test", "file": {"name": "a", "urls": ["https://example.org/a"]}}, "takes no file"),
        ({"rule": "folders", "reader": {"class_name": "SVHN", "train": {}, "test": {}}}, "takes no reader"),
        ({"rule": "gtsrb", "train": "Training", "names": ["one", "one"]}, "1 class names for 2 classes"),
        ({"rule": "gtsrb", "train": "Training", "names": ["one", "two", "three"]}, "3 class names for 2 classes"),
    ],
)
def test_a_split_rule_has_its_options(rule, says):
    with pytest.raises(ValidationError, match=says):
        entry_for(rule)


def test_the_drawn_sets_are_those_of_the_mini_world():
    drawn = {entry.id: entry for entry in datasets().values() if entry.source.kind == "drawn"}
    assert drawn.keys() == SETS.keys()
    for id, target in SETS.items():
        assert (drawn[id].classes, drawn[id].task) == (len(target.classes), target.task)
        for part, count in target.counts.items():
            assert getattr(drawn[id], part) == count * len(target.classes)


@pytest.mark.slow
def test_a_drawn_set_is_prepared_without_raw_files(tmp_path):
    manifest = prepare("mini_cloths", tmp_path / "ready", tmp_path / "raw", seed=1)
    assert manifest["made_by"] == "drawn, seed 1"
    assert (tmp_path / "ready/manifest.json").exists()
    assert not (tmp_path / "raw").exists()


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(
        UserError, match=r"unknown dataset 'oxfordpets' \(did you mean 'oxford_pets'\?\): choose from .*caltech101"
    ):
        dataset("oxfordpets")


@pytest.mark.slow
def test_reading_the_catalog_imports_none_of_the_libraries_that_name_imagenet():
    code = (
        "import sys, papertables.data.imagenet, papertables.data.catalog as c; c.datasets(); "
        "sys.exit(bool({'torch', 'timm', 'open_clip'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def entry_for(rule: dict, **changes) -> Dataset:
    """Two classes with two training images, one for validation and one for test each."""
    known = {
        "id": "tiny",
        "label": "Tiny",
        "source": {"kind": "manual", "step": "draw it"},
        "places": {"pictures": ()},
        "split": rule,
        "images": "pictures",
        "licence": "none",
        "classes": 2,
        "train": 4,
        "val": 2,
        "test": 2,
        "task": "object",
        "clip_template": "a photo of a {}.",
    }
    return Dataset(**known | changes)


SPLIT_FILE = {
    "rule": "file",
    "file": {"name": "split_tiny.json", "urls": ["https://example.org/split_tiny.json"]},
}


@pytest.fixture
def raw(tmp_path):
    """Raw files of the tiny set, with a split file in CoOp's format."""
    splits = {"train": [], "val": [], "test": []}
    for label, name in enumerate(["red_thing", "blue_thing"]):
        folder = tmp_path / "raw/pictures" / name
        folder.mkdir(parents=True)
        for number, part in enumerate(["train", "train", "val", "test"]):
            colour = (200 - 100 * label, number, 50)
            Image.effect_noise((40, 40), 50 + number + label).convert("RGB").point(
                lambda value, shift=colour[0] // 10: min(value + shift, 255)
            ).save(folder / f"{number}.jpg")
            splits[part].append([f"{name}/{number}.jpg", label, name])
    (tmp_path / "raw/split_tiny.json").write_text(json.dumps(splits))
    return tmp_path / "raw"


@pytest.fixture
def tiny(monkeypatch):
    def use(entry):
        monkeypatch.setattr(preparing, "dataset", lambda id: entry)
        return entry

    return use


def test_prepare_links_the_images_and_writes_a_manifest(raw, tmp_path, tiny):
    tiny(entry_for(SPLIT_FILE))
    folder = tmp_path / "ready"
    manifest = prepare("tiny", folder, raw, seed=1)
    assert manifest == read_manifest(folder / "manifest.json")
    assert {key: manifest[key] for key in ("dataset", "images", "classes", "train", "val", "test")} == {
        "dataset": "tiny",
        "images": 8,
        "classes": 2,
        "train": 4,
        "val": 2,
        "test": 2,
    }
    assert re.fullmatch("[0-9a-f]{64}", manifest["digest"])
    assert manifest["made_by"] == "split_tiny.json"
    assert not Path(os.readlink(folder / "images")).is_absolute()
    first = json.loads((folder / "split.json").read_text())["train"][0]
    assert first == ["images/red_thing/0.jpg", 0, "red_thing"]
    assert (folder / first[0]).exists()
    assert prepare("tiny", folder, raw, seed=1) == manifest


def test_the_digest_sees_one_changed_byte_once_the_change_is_accepted(raw, tmp_path, tiny):
    tiny(entry_for(SPLIT_FILE))
    before = prepare("tiny", tmp_path / "ready", raw, seed=1)["digest"]
    path = raw / "pictures/blue_thing/3.jpg"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(UserError, match=r"1 of 8 images are not what they were .*images/blue_thing/3\.jpg"):
        prepare("tiny", tmp_path / "ready", raw, seed=1)
    assert not (tmp_path / "ready/manifest.json").exists()
    (tmp_path / "ready/images.sha256").unlink()
    assert prepare("tiny", tmp_path / "ready", raw, seed=1)["digest"] != before


@pytest.mark.parametrize(("name", "expected"), [("classes", 3), ("train", 5), ("val", 1), ("test", 7)])
def test_a_wrong_count_names_both_numbers(raw, tmp_path, tiny, name, expected):
    entry = tiny(entry_for(SPLIT_FILE, **{name: expected}))
    found = getattr(entry_for(SPLIT_FILE), name)
    with pytest.raises(UserError, match=rf"tiny: .*lists {found} .*{name}.* the catalog expects {expected}\b") as error:
        prepare(entry.id, tmp_path / "ready", raw, seed=1)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "ready/manifest.json").exists()


def test_a_truncated_an_unreadable_and_a_missing_image_are_named(raw, tmp_path, tiny):
    entry = tiny(entry_for(SPLIT_FILE))
    path = raw / "pictures/red_thing/1.jpg"
    good = path.read_bytes()
    for bad in (good[: len(good) // 2], b"no image", b""):
        path.write_bytes(bad)
        with pytest.raises(UserError, match=r"red_thing/1\.jpg is truncated or unreadable"):
            prepare("tiny", tmp_path / "ready", raw, seed=1)
    path.unlink()
    with pytest.raises(UserError, match=r"red_thing/1\.jpg is missing"):
        verify(tmp_path / "ready", entry, "test")


def test_a_split_file_that_is_something_else_is_named(raw, tmp_path, tiny):
    tiny(entry_for(SPLIT_FILE))
    for content in ("<html>quota exceeded</html>", '{"train": []}', '{"train": [1], "val": [], "test": []}'):
        (raw / "split_tiny.json").write_text(content)
        with pytest.raises(UserError, match=r"split_tiny\.json: .*: delete this file"):
            prepare("tiny", tmp_path / "ready", raw, seed=1)


def test_fgvc_aircraft_takes_the_lists_beside_its_images(raw, tmp_path, tiny):
    (raw / "variants.txt").write_text("707 320\nF-16A/B\n")
    for part, numbers in {"train": (0, 1), "val": (2,), "test": (3,)}.items():
        lines = [
            f"{folder}/{n} {name}"
            for folder, name in [("red_thing", "707 320"), ("blue_thing", "F-16A/B")]
            for n in numbers
        ]
        (raw / f"images_variant_{part}.txt").write_text("\n".join(lines) + "\n")
    tiny(entry_for({"rule": "fgvc_aircraft"}))
    prepare("tiny", tmp_path / "ready", raw, seed=1)
    splits = json.loads((tmp_path / "ready/split.json").read_text())
    assert splits["val"] == [
        ["images/red_thing/2.jpg", 0, "707 320"],
        ["images/blue_thing/2.jpg", 1, "F-16A/B"],
    ]


TENCH, GOLDFISH, SHARK, HAMMERHEAD = "n01440764", "n01443537", "n01484850", "n01494475"
TWINS = {"missile": ("n03773504", "n04008634"), "sunglasses": ("n04355933", "n04356056")}


def test_imagenet_is_named_as_by_clip_in_the_order_of_identifiers():
    classes = imagenet_classes()
    assert list(classes) == sorted(classes) == ImageNetInfo().label_names()
    assert tuple(classes.values()) == open_clip.IMAGENET_CLASSNAMES
    assert {classes[id] for id in (TENCH, HAMMERHEAD)} == {"tench", "hammerhead shark"}
    counts = Counter(classes.values())
    assert len(classes) == 1_000 and {name for name, count in counts.items() if count > 1} == TWINS.keys()
    for name, identifiers in TWINS.items():
        assert tuple(id for id, each in classes.items() if each == name) == identifiers


def write_folders(images: Path, folders: dict[str, int]) -> None:
    """A folder per class with as many images."""
    for shade, (folder, count) in enumerate(folders.items()):
        (images / folder).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (4, 4), (10 * number, shade, 0)).save(images / folder / f"{number}.jpeg")


def test_imagenet_tests_on_its_validation_folder(tmp_path, tiny):
    write_folders(tmp_path / "raw/pictures/train", {SHARK: 3, TENCH: 3})
    write_folders(tmp_path / "raw/pictures/val", {SHARK: 1, TENCH: 1})
    tiny(entry_for({"rule": "imagenet"}, source=dataset("imagenet").source, train=6, val=0))
    prepare("tiny", tmp_path / "ready", tmp_path / "raw", seed=1)
    splits = json.loads((tmp_path / "ready/split.json").read_text())
    assert splits["val"] == []
    assert splits["test"] == [
        [f"images/val/{TENCH}/0.jpeg", 0, "tench"],
        [f"images/val/{SHARK}/0.jpeg", 1, "great white shark"],
    ]


@pytest.fixture
def unpacked(tmp_path, tiny):
    """Makes the raw folder of a shifted ImageNet: the catalog's entry, with counts of these folders' images."""

    def make(id: str, folders: dict[str, int]) -> Path:
        entry = dataset(id)
        raw = tmp_path / "shifted"
        write_folders(raw / entry.images, folders)
        (raw / entry.images / "README.txt").write_text("about")
        classes = len(folders)
        tiny(entry.model_copy(update={"classes": classes, "train": classes, "test": sum(folders.values())}))
        return raw

    return make


@pytest.mark.slow
def test_folders_named_by_label_take_the_class_of_that_label(unpacked, tmp_path):
    raw = unpacked("imagenetv2", {str(label): 2 for label in range(1_000)})
    manifest = prepare("imagenetv2", tmp_path / "ready", raw, seed=1)
    assert (manifest["images"], manifest["val"]) == (2_000, 0)
    split = json.loads((tmp_path / "ready/split.json").read_text())
    assert split["test"][4] == ["images/2/0.jpeg", 2, "great white shark"]
    assert split["test"][-1] == ["images/999/1.jpeg", 999, "toilet paper"]
    assert [[label, name] for _, label, name in split["train"]] == [
        [label, name] for label, name in enumerate(open_clip.IMAGENET_CLASSNAMES)
    ]
    assert split["train"] == split["test"][::2]


@pytest.mark.parametrize("id", ["imagenet_sketch", "imagenet_a", "imagenet_r"])
def test_folders_of_some_classes_are_labelled_from_zero(unpacked, tmp_path, id):
    raw = unpacked(id, {HAMMERHEAD: 1, GOLDFISH: 3})
    prepare(id, tmp_path / "ready", raw, seed=1)
    split = json.loads((tmp_path / "ready/split.json").read_text())
    assert split["test"] == [
        [f"images/{GOLDFISH}/0.jpeg", 0, "goldfish"],
        [f"images/{GOLDFISH}/1.jpeg", 0, "goldfish"],
        [f"images/{GOLDFISH}/2.jpeg", 0, "goldfish"],
        [f"images/{HAMMERHEAD}/0.jpeg", 1, "hammerhead shark"],
    ]
    assert split["train"] == [split["test"][0], split["test"][3]]
    assert split["val"] == []


def test_a_folder_that_is_no_class_is_named(unpacked, tmp_path):
    raw = unpacked("imagenet_a", {TENCH: 1, "thumbnails": 1})
    with pytest.raises(UserError, match=r"thumbnails is no class of ImageNet: keep nothing but class folders there"):
        prepare("imagenet_a", tmp_path / "ready", raw, seed=1)


@pytest.mark.parametrize("rule", ["imagenet", "imagenet_test"])
def test_two_classes_of_one_name_are_two_classes(tmp_path, tiny, rule):
    """From the folders to the sentences and the prompts of each."""
    folders = dict.fromkeys(sorted([TENCH, *sum(TWINS.values(), ())]), 3)
    parts = ("train", "val") if rule == "imagenet" else (".",)
    for part in parts:
        write_folders(tmp_path / "raw/pictures" / part, folders)
    counts = {"train": 15 if rule == "imagenet" else 5, "val": 0, "test": 15}
    tiny(entry_for({"rule": rule}, source=dataset("imagenet").source, classes=5, **counts))
    prepare("tiny", tmp_path / "ready", tmp_path / "raw", seed=1)
    split = read_split(tmp_path / "ready/split.json")
    assert split.class_names == ("tench", "missile", "missile", "sunglasses", "sunglasses")
    identifiers = [{Path(item.path).parent.name for item in split.test if item.label == label} for label in range(5)]
    assert identifiers == [{id} for id in sorted(folders)]
    drawn = few_shot(split, 1, Random(1))[0]
    assert sorted(split.train[index].label for index in drawn) == list(range(5))

    content = {name: [f"A sentence on {name}, number {number}." for number in range(25)] for name in ("tench", *TWINS)}
    (tmp_path / "tiny_des.json").write_text(json.dumps(content))
    check_names(tmp_path / "ready/split.json", [tmp_path / "tiny_des.json"])
    sentences = read_sentences(tmp_path / "tiny_des.json")
    sampled = sample(sentences, split.class_names, 5, Random(1), "distinct")
    assert [{sentence.split(",")[0] for sentence in row} for row in sampled] == [
        {f"A sentence on {name}"} for name in split.class_names
    ]
    assert sampled[1] != sampled[2]  # each class draws its own
    assert prompt_names(split.class_names, "all") == split.class_names
    assert prompt_names(split.class_names, "new") == ("sunglasses", "sunglasses")
    assert len(source_prompts(split.class_names)) == 81 * 5


def test_without_a_published_split_the_seed_draws_one(raw, tmp_path, tiny):
    for folder in (raw / "pictures").iterdir():
        for number in range(4, 10):
            (folder / f"{number}.jpg").write_bytes((folder / "0.jpg").read_bytes())
    tiny(entry_for({"rule": "folders", "use_if_present": "theirs.json"}, train=10, val=4, test=6))
    first = prepare("tiny", tmp_path / "first", raw, seed=1)
    assert first["made_by"] == "CoOp's procedure, seed 1"
    assert prepare("tiny", tmp_path / "again", raw, seed=1)["digest"] == first["digest"]
    assert prepare("tiny", tmp_path / "other", raw, seed=2)["digest"] != first["digest"]
    splits = json.loads((tmp_path / "first/split.json").read_text())
    theirs = {part: [[path.removeprefix("images/"), *rest] for path, *rest in splits[part]] for part in splits}
    (raw / "theirs.json").write_text(json.dumps(theirs))
    manifest = prepare("tiny", tmp_path / "theirs", raw, seed=2)
    assert (manifest["made_by"], manifest["digest"]) == ("theirs.json", first["digest"])
