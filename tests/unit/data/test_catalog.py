"""The catalog of data sets, and what preparation checks against it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torchvision
from PIL import Image
from pydantic import ValidationError

from papertables.data import prepare as preparing
from papertables.data.catalog import Dataset, dataset, datasets
from papertables.data.miniworld.targets import SETS
from papertables.data.prepare import prepare, verify
from papertables.errors import UserError

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
FULL_DATA = {"cifar10", "cifar100", "svhn", "gtsrb"}  # of BLM and SMM, beside sets of AttrVR
SHIFTED = {  # of ATPrompt, beside sets of AttrVR: as printed in its table 4, test images, classes
    "imagenetv2": ("ImageNetV2", 10_000, 1_000),
    "imagenet_sketch": ("ImageNet-Sketch", 50_889, 1_000),
    "imagenet_a": ("ImageNet-A", 7_500, 200),
    "imagenet_r": ("ImageNet-R", 30_000, 200),
}
MINI_SHIFTED = {"mini_source_redrawn", "mini_source_sketch", "mini_source_cluttered", "mini_source_restyled"}


def test_the_twenty_sets_are_there():
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
    if entry.split.rule == "file" and entry.split.file.sha256 is None:
        assert "No checksum" in entry.notes


@pytest.mark.parametrize("id", sorted(FULL_DATA))
def test_a_set_without_validation_images_is_checked_as_printed(id):
    """Against SMM's table 6."""
    printed = {
        "cifar10": ("CIFAR10", 50_000, 10_000, 10),
        "cifar100": ("CIFAR100", 50_000, 10_000, 100),
        "svhn": ("SVHN", 73_257, 26_032, 10),
        "gtsrb": ("GTSRB", 39_209, 12_630, 43),
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
    assert entry.split.file == dataset("imagenet").split.file
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
    assert known("svhn") == {readers.SVHN.split_list[part][2] for part in ("train", "test")}


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"rule": "torchvision"}, "needs a reader"),
        ({"rule": "gtsrb"}, "needs names"),
        ({"rule": "file"}, "needs a file"),
        ({"rule": "imagenet_test"}, "needs a file"),
        ({"rule": "folders", "reader": {"class_name": "SVHN", "train": {}, "test": {}}}, "takes no reader"),
        ({"rule": "gtsrb", "names": ["one", "one"]}, "1 class names for 2 classes"),
        ({"rule": "gtsrb", "names": ["one", "two", "three"]}, "3 class names for 2 classes"),
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


def test_reading_the_catalog_imports_no_torch():
    code = "import sys, papertables.data.catalog as c; c.datasets(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def entry_for(rule: dict, **changes) -> Dataset:
    """Two classes with two training images, one for validation and one for test each."""
    known = {
        "id": "tiny",
        "label": "Tiny",
        "source": {"kind": "manual", "step": "draw it", "needs": ["pictures"]},
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
    assert manifest == json.loads((folder / "manifest.json").read_text())
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


def test_the_digest_sees_one_changed_byte(raw, tmp_path, tiny):
    tiny(entry_for(SPLIT_FILE))
    before = prepare("tiny", tmp_path / "ready", raw, seed=1)["digest"]
    path = raw / "pictures/blue_thing/3.jpg"
    path.write_bytes(path.read_bytes() + b"\0")
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


def test_imagenet_tests_on_its_validation_folder(raw, tmp_path, tiny):
    pictures = raw / "pictures"
    for part, numbers in {"train": (0, 1, 2), "val": (3,)}.items():
        for folder, source in {"n02": "red_thing", "n01": "blue_thing"}.items():
            (pictures / part / folder).mkdir(parents=True)
            for number in numbers:
                (pictures / source / f"{number}.jpg").rename(pictures / part / folder / f"{number}.jpg")
    (raw / "classnames.txt").write_text("n01 great white shark\r\nn02 tench\r\n")
    file = {"name": "classnames.txt", "urls": ["https://example.org/classnames.txt"]}
    tiny(entry_for({"rule": "imagenet", "file": file}, train=6, val=0))
    prepare("tiny", tmp_path / "ready", raw, seed=1)
    splits = json.loads((tmp_path / "ready/split.json").read_text())
    assert splits["val"] == []
    assert splits["test"] == [
        ["images/val/n01/3.jpg", 0, "great white shark"],
        ["images/val/n02/3.jpg", 1, "tench"],
    ]


@pytest.fixture
def unpacked(tmp_path, tiny):
    """Makes the raw folder of a shifted ImageNet: the catalog's entry, with counts of these folders' images."""

    def make(id: str, folders: dict[str, int], names: str) -> Path:
        entry = dataset(id)
        raw = tmp_path / "shifted"
        for folder, count in folders.items():
            (raw / entry.images / folder).mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (4, 4), (10 * number, 0, 0)).save(raw / entry.images / folder / f"{number}.jpeg")
        (raw / entry.images / "README.txt").write_text("about")
        (raw / entry.split.file.name).write_text(names)
        classes = len(folders)
        tiny(entry.model_copy(update={"classes": classes, "train": classes, "test": sum(folders.values())}))
        return raw

    return make


def test_folders_named_by_number_take_the_class_of_that_label(unpacked, tmp_path):
    names = "".join(f"n{number:04} class {number}\n" for number in range(12))
    raw = unpacked("imagenetv2", {str(number): 2 for number in range(12)}, names)
    manifest = prepare("imagenetv2", tmp_path / "ready", raw, seed=1)
    assert (manifest["made_by"], manifest["images"], manifest["val"]) == ("classnames.txt", 24, 0)
    split = json.loads((tmp_path / "ready/split.json").read_text())
    assert split["test"][4] == ["images/2/0.jpeg", 2, "class 2"]
    assert split["test"][-1] == ["images/11/1.jpeg", 11, "class 11"]
    assert split["train"] == split["test"][::2]


@pytest.mark.parametrize("id", ["imagenet_sketch", "imagenet_a", "imagenet_r"])
def test_folders_of_some_classes_are_labelled_from_zero(unpacked, tmp_path, id):
    names = "n01 tench\nn02 goldfish\nn03 great white shark\nn04 hammerhead shark\n"
    raw = unpacked(id, {"n04": 1, "n02": 3}, names)
    prepare(id, tmp_path / "ready", raw, seed=1)
    split = json.loads((tmp_path / "ready/split.json").read_text())
    assert split["test"] == [
        ["images/n02/0.jpeg", 0, "goldfish"],
        ["images/n02/1.jpeg", 0, "goldfish"],
        ["images/n02/2.jpeg", 0, "goldfish"],
        ["images/n04/0.jpeg", 1, "hammerhead shark"],
    ]
    assert split["train"] == [split["test"][0], split["test"][3]]
    assert split["val"] == []


def test_a_folder_that_is_no_class_is_named(unpacked, tmp_path):
    raw = unpacked("imagenet_a", {"n01": 1, "thumbnails": 1}, "n01 tench\nn02 goldfish\n")
    with pytest.raises(UserError, match=r"thumbnails is no class of .*: keep nothing but class folders there"):
        prepare("imagenet_a", tmp_path / "ready", raw, seed=1)


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
