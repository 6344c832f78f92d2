"""The sets that come as arrays, and the traffic signs: made small, downloaded from a server and prepared."""

import hashlib
import io
import json
import pickle

import numpy as np
import pytest
import torchvision
from PIL import Image
from scipy.io import savemat

from papertables.base.errors import UserError
from papertables.data import prepare as preparing
from papertables.data.catalog import Dataset, dataset
from papertables.data.download import fetch
from papertables.data.prepare import prepare
from tests.archives import sha256, tar, zipped
from tests.fault_server import FaultServer

RNG = np.random.default_rng(0)


@pytest.fixture
def web():
    with FaultServer() as server:
        yield server


@pytest.fixture
def served(web, monkeypatch):
    """Serves files under the names that the catalog has, and uses its entry with their checksums and counts."""

    def serve(id: str, files: dict[str, bytes], **counts) -> Dataset:
        entry = dataset(id)
        assert files.keys() == {file.name for file in entry.source.files}
        for name, content in files.items():
            web.files[name] = content
        moved = [
            file.model_copy(update={"urls": (f"{web.url}/{file.name}",), "sha256": sha256(files[file.name])})
            for file in entry.source.files
        ]
        source = entry.source.model_copy(update={"files": tuple(moved)})
        entry = entry.model_copy(update={"source": source, "bytes": 0} | counts)
        monkeypatch.setattr(preparing, "dataset", lambda id: entry)
        return entry

    return serve


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def noise(count: int) -> np.ndarray:
    """(count, 3, 32, 32)"""
    return RNG.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)


def ppm(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(buffer, "PPM")
    return buffer.getvalue()


def cifar(monkeypatch, reader: type, batches: dict[str, tuple[np.ndarray, list[int]]], key: str, meta: bytes) -> bytes:
    """The archive of these batches, whose checksums the reader then expects inside it."""
    files = {reader.meta["filename"]: meta}
    for name, (images, labels) in batches.items():
        files[name] = pickle.dumps({"data": images.reshape(len(images), -1), key: labels})
    for part in ("train_list", "test_list"):
        monkeypatch.setattr(reader, part, [[name, md5(files[name])] for name, _ in getattr(reader, part)])
    monkeypatch.setattr(reader, "meta", reader.meta | {"md5": md5(meta)})
    return tar({f"{reader.base_folder}/{name}": content for name, content in files.items()})


CIFAR10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def cifar10(monkeypatch) -> tuple[bytes, dict[str, tuple[np.ndarray, list[int]]]]:
    batches = {f"data_batch_{number}": (noise(2), [number - 1, number + 4]) for number in range(1, 6)}
    batches["test_batch"] = (noise(3), [9, 0, 4])
    meta = pickle.dumps({"label_names": CIFAR10})
    return cifar(monkeypatch, torchvision.datasets.CIFAR10, batches, "labels", meta), batches


def split_of(folder) -> dict:
    return json.loads((folder / "split.json").read_text())


def pixels(path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image).transpose(2, 0, 1)


def test_cifar10(served, tmp_path, monkeypatch):
    archive, batches = cifar10(monkeypatch)
    entry = served("cifar10", {"cifar-10-python.tar.gz": archive}, train=10, test=3)
    fetch(entry, tmp_path / "raw")
    manifest = prepare("cifar10", tmp_path / "ready", tmp_path / "raw", seed=1)
    assert {key: manifest[key] for key in ("classes", "train", "val", "test", "images")} == {
        "classes": 10,
        "train": 10,
        "val": 0,
        "test": 3,
        "images": 13,
    }
    assert manifest["made_by"] == "torchvision.datasets.CIFAR10"
    split = split_of(tmp_path / "ready")
    assert split["train"][2] == ["images/train/00002.png", 1, "automobile"]
    assert split["test"] == [[f"images/test/{n:05}.png", label, CIFAR10[label]] for n, label in enumerate((9, 0, 4))]
    images = np.concatenate([batches[f"data_batch_{number}"][0] for number in range(1, 6)])
    for image, (path, _, _) in zip(images, split["train"], strict=True):
        assert np.array_equal(pixels(tmp_path / "ready" / path), image)
    again = prepare("cifar10", tmp_path / "ready", tmp_path / "raw", seed=2)
    assert again == manifest
    assert sorted(path.name for path in (tmp_path / "ready").iterdir()) == [
        "images",
        "images.sha256",
        "manifest.json",
        "split.json",
    ]


def test_cifar100_takes_the_fine_classes(served, tmp_path, monkeypatch):
    batches = {"train": (noise(100), list(range(100))), "test": (noise(2), [99, 7])}
    names = [f"fine_{number}" for number in range(100)]
    meta = pickle.dumps({"fine_label_names": names, "coarse_label_names": ["coarse"] * 20})
    archive = cifar(monkeypatch, torchvision.datasets.CIFAR100, batches, "fine_labels", meta)
    entry = served("cifar100", {"cifar-100-python.tar.gz": archive}, train=100, test=2)
    fetch(entry, tmp_path / "raw")
    prepare("cifar100", tmp_path / "ready", tmp_path / "raw", seed=1)
    split = split_of(tmp_path / "ready")
    assert split["test"] == [["images/test/00000.png", 99, "fine_99"], ["images/test/00001.png", 7, "fine_7"]]
    assert np.array_equal(pixels(tmp_path / "ready/images/test/00001.png"), batches["test"][0][1])


def test_svhn_counts_zero_as_zero(served, tmp_path, monkeypatch):
    images = {"train": noise(10), "test": noise(2)}
    labels = {"train": [*range(1, 11)], "test": [10, 3]}
    files = {}
    for part, batch in images.items():
        buffer = io.BytesIO()
        savemat(buffer, {"X": batch.transpose(2, 3, 1, 0), "y": np.array(labels[part], np.uint8)[:, None]})
        files[f"{part}_32x32.mat"] = buffer.getvalue()
    known = torchvision.datasets.SVHN.split_list
    monkeypatch.setattr(
        torchvision.datasets.SVHN,
        "split_list",
        {part: [*known[part][:2], md5(files[f"{part}_32x32.mat"])] for part in images},
    )
    entry = served("svhn", files, train=10, test=2)
    fetch(entry, tmp_path / "raw")
    prepare("svhn", tmp_path / "ready", tmp_path / "raw", seed=1)
    split = split_of(tmp_path / "ready")
    assert [[label, name] for _, label, name in split["test"]] == [[0, "0"], [3, "3"]]
    assert [name for *_, name in split["train"]] == [*"1234567890"]
    for image, (path, _, _) in zip(images["train"], split["train"], strict=True):
        assert np.array_equal(pixels(tmp_path / "ready" / path), image)


SIGNS = {  # by data set, the archive of its training images and the folder in it
    "gtsrb": ("GTSRB-Training_fixed.zip", "Training"),
    "gtsrb_final": ("GTSRB_Final_Training_Images.zip", "Final_Training/Images"),
}


@pytest.fixture(params=SIGNS)
def signs(request, served, tmp_path):
    """A data set, its folder of training images, and the raw folder of two of these per class and three test images."""
    archive, within = SIGNS[request.param]
    train = {"GTSRB/Readme-Images.txt": b"about"}
    for label in range(43):
        folder = f"GTSRB/{within}/{label:05}"
        train[f"{folder}/GT-{label:05}.csv"] = b"Filename;Width\r\n"
        train |= {f"{folder}/00000_{number:05}.ppm": ppm(16 + label, 20) for number in (1, 0)}
    test = {f"GTSRB/Final_Test/Images/{number:05}.ppm": ppm(20, 16 + number) for number in range(3)}
    truth = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\r\n" + "".join(
        f"{number:05}.ppm;20;{16 + number};5;5;15;15;{label}\r\n" for number, label in enumerate((16, 1, 38))
    )
    files = {
        archive: zipped(train),
        "GTSRB_Final_Test_Images.zip": zipped(test),
        "GTSRB_Final_Test_GT.zip": zipped({"GT-final_test.csv": truth.encode()}),
    }
    fetch(served(request.param, files, train=86, test=3), tmp_path / "raw")
    return request.param, within, tmp_path / "raw"


def test_gtsrb(signs, tmp_path):
    id, within, raw = signs
    manifest = prepare(id, tmp_path / "ready", raw, seed=1)
    assert (manifest["classes"], manifest["train"], manifest["test"]) == (43, 86, 3)
    split = split_of(tmp_path / "ready")
    assert split["train"][:3] == [
        [f"images/{within}/00000/00000_00000.ppm", 0, "20_speed"],
        [f"images/{within}/00000/00000_00001.ppm", 0, "20_speed"],
        [f"images/{within}/00001/00000_00000.ppm", 1, "30_speed"],
    ]
    assert split["test"] == [
        ["images/Final_Test/Images/00000.ppm", 16, "no_way_trucks"],
        ["images/Final_Test/Images/00001.ppm", 1, "30_speed"],
        ["images/Final_Test/Images/00002.ppm", 38, "turn_right_down"],
    ]
    assert (tmp_path / "ready/images").is_symlink()


@pytest.mark.parametrize("missing", ["GTSRB/{}/00042", "GT-final_test.csv"])
def test_gtsrb_names_what_is_missing(signs, tmp_path, missing):
    id, within, raw = signs
    (raw / missing.format(within)).rename(tmp_path / "away")
    with pytest.raises(UserError, match=f"{missing.format(within)} is missing"):
        prepare(id, tmp_path / "ready", raw, seed=1)


@pytest.mark.parametrize("damage", ["altered", "gone"])
def test_altered_arrays_are_one_line(served, tmp_path, monkeypatch, damage):
    archive, _ = cifar10(monkeypatch)
    fetch(served("cifar10", {"cifar-10-python.tar.gz": archive}, train=10, test=3), tmp_path / "raw")
    batch = tmp_path / "raw/cifar-10-batches-py/data_batch_3"
    batch.unlink() if damage == "gone" else batch.write_bytes(batch.read_bytes() + b"\0")
    with pytest.raises(UserError, match=r"cifar10: the files in .*raw are missing or altered") as error:
        prepare("cifar10", tmp_path / "ready", tmp_path / "raw", seed=1)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "ready/images").exists()


def test_what_an_unfinished_run_left_is_written_again(served, tmp_path, monkeypatch):
    archive, _ = cifar10(monkeypatch)
    fetch(served("cifar10", {"cifar-10-python.tar.gz": archive}, train=10, test=3), tmp_path / "raw")
    save, calls = Image.Image.save, []

    def cut_off(image, path):
        calls.append(path)
        if len(calls) > 5:
            raise KeyboardInterrupt
        save(image, path)

    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "save", cut_off)
        with pytest.raises(KeyboardInterrupt):
            prepare("cifar10", tmp_path / "ready", tmp_path / "raw", seed=1)
    assert not (tmp_path / "ready/images").exists()
    assert not (tmp_path / "ready/split.json").exists()
    assert any((tmp_path / "ready/images.part/train").iterdir())
    prepare("cifar10", tmp_path / "ready", tmp_path / "raw", seed=1)
    assert len(list((tmp_path / "ready/images").rglob("*.png"))) == 13
    assert not (tmp_path / "ready/images.part").exists()


@pytest.mark.parametrize("id", ["imagenetv2", "imagenet_sketch", "imagenet_a", "imagenet_r"])
def test_a_shifted_imagenet_from_its_archive(web, tmp_path, monkeypatch, id):
    entry = dataset(id)
    file = entry.source.files[0]
    inside = {"0": 2, "1": 1} if id == "imagenetv2" else {"n01440764": 2, "n01443537": 1}
    images = {f"{entry.images}/{name}/{n}.jpg": ppm(8, 9) for name, count in inside.items() for n in range(count)}
    content = zipped(images) if file.format == "zip" else tar(images)
    web.files[file.name] = content
    served = file.model_copy(update={"urls": (f"{web.url}/{file.name}",), "sha256": sha256(content)})
    source = entry.source.model_copy(update={"files": (served,)})
    entry = entry.model_copy(update={"source": source, "classes": 2, "train": 2, "test": 3, "bytes": 0})
    monkeypatch.setattr(preparing, "dataset", lambda id: entry)
    fetch(entry, tmp_path / "raw")
    prepare(id, tmp_path / "ready", tmp_path / "raw", seed=1)
    test = split_of(tmp_path / "ready")["test"]
    assert [item[1:] for item in test] == [[0, "tench"], [0, "tench"], [1, "goldfish"]]
    for (path, *_), content in zip(test, images.values(), strict=True):
        assert (tmp_path / "ready" / path).read_bytes() == content
