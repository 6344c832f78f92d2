"""Every data set of the catalog in miniature: the archives that its addresses hold, as they are published, with the
strays that lie in them, and how many images there are."""

import io
import json
import pickle
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.io import savemat

from tests.archives import below, plain_tar, tar, zipped
from tests.rehearsal.pictures import Pictures, truncated

Files = dict[str, bytes]
TRAIN, VAL, TEST = (3, 2, 2, 2), 1, 1  # images of each class; classes are unequal
FINDER = {"__MACOSX/._.DS_Store": b"\0\5\26\7", ".DS_Store": b"\0\0\0\1Bud1"}
TENCH, GOLDFISH, MISSILES = "n01440764", "n01443537", ("n03773504", "n04008634")  # two classes of one name
IDENTIFIERS = sorted([TENCH, GOLDFISH, *MISSILES])


@dataclass
class Made:
    """archives: by the names that the catalog has. counts: classes, train, val and test. names: of the classes, by
    label. split: CoOp's, where the set has such a file. brought: whether only a user can bring it."""

    archives: Files
    counts: dict[str, int]
    names: tuple[str, ...]
    split: bytes | None = None
    changes: dict = field(default_factory=dict)


def coop(names: Iterable[str], path: Callable[[int, int], str], sizes=TRAIN) -> tuple[Files, Made]:
    """Images of a set that has a split file of CoOp's: ``path(label, number)`` below its folder of images."""
    draw, files, parts = Pictures(), {}, {"train": [], "val": [], "test": []}
    names = tuple(names)
    for label, (name, size) in enumerate(zip(names, sizes, strict=False)):
        for number in range(size + VAL + TEST):
            part = "train" if number < size else "val" if number < size + VAL else "test"
            files[path(label, number)] = draw.file(label)
            parts[part].append([path(label, number), label, name])
    counts = {"classes": len(names)} | {part: len(items) for part, items in parts.items()}
    return files, Made({}, counts, names, json.dumps(parts, ensure_ascii=False).encode())


def caltech101() -> Made:
    folders = ("accordion", "Faces", "Leopards", "Motorbikes")
    files, made = coop(("accordion", "face", "leopard", "motorbike"), lambda c, n: f"{folders[c]}/image_{n + 1:04}.jpg")
    noise = Pictures(1)
    files |= {f"BACKGROUND_Google/image_{number:04}.jpg": noise.file(9) for number in range(3)}
    files |= {"BACKGROUND_Google/tmp": b"stray", "BACKGROUND_Google/image_0003.jpg": truncated(noise.file(9))}
    files |= {f"Faces_easy/image_{number:04}.jpg": noise.file(8) for number in range(3)}
    inner = tar(below("101_ObjectCategories", files))
    content = {"caltech-101/101_ObjectCategories.tar.gz": inner, "caltech-101/Annotations.tar": plain_tar({"a": b""})}
    made.archives["caltech-101.zip"] = zipped(content | FINDER)
    return made


def dtd() -> Made:
    names = ("banded", "blotchy", "polka-dotted", "zigzagged")
    files, made = coop(names, lambda c, n: f"{names[c]}/{names[c]}_{n + 1:04}.jpg")
    labels = {"labels/train1.txt": b"banded/banded_0001.jpg\n", "imdb/imdb.mat": b"MATLAB"}
    images = below("images", files | {"waffled/.directory": b""})
    made.archives = {"dtd-r1.0.1.tar.gz": tar(below("dtd", images | labels)), "dtd.zip": zipped(below("dtd", images))}
    return made


def eurosat() -> Made:
    folders = ("AnnualCrop", "Forest", "HerbaceousVegetation", "Highway")
    names = ("Annual Crop Land", "Forest", "Herbaceous Vegetation Land", "Highway or Road")
    files, made = coop(names, lambda c, n: f"{folders[c]}/{folders[c]}_{n + 1}.jpg")
    made.archives["EuroSAT.zip"] = zipped(below("2750", files))
    return made


def fgvc_aircraft() -> Made:
    names = ("707-320", "A300B4", "BAE 146-200", "F-16A/B")
    images = [f"{label * 10 + number:07}" for label in range(4) for number in range(5)]
    files, made = coop(names, lambda c, n: f"{images[5 * c + n]}.jpg")
    parts, made.split = json.loads(made.split), None
    lists = {f"images_variant_{part}.txt": "".join(f"{path.removesuffix('.jpg')} {name}\n" for path, _, name in items)
             for part, items in parts.items()}  # fmt: skip
    lists |= {"variants.txt": "\n".join(names) + "\n", "images_box.txt": "0000000 1 1 9 9\n"}
    content = below("data/images", files) | below("data", {name: text.encode() for name, text in lists.items()})
    made.archives["fgvc-aircraft-2013b.tar.gz"] = tar(below("fgvc-aircraft-2013b", content | {"README.md": b"about"}))
    return made


def food101() -> Made:
    names = ("apple_pie", "baby_back_ribs", "creme_brulee", "waffles")
    files, made = coop(names, lambda c, n: f"{names[c]}/{1000 + 7 * n}.jpg")
    content = below("images", files | {"waffles/.DS_Store": b""}) | {"meta/classes.txt": "\n".join(names).encode()}
    made.archives["food-101.tar.gz"] = tar(below("food-101", content))
    return made


def oxford_flowers() -> Made:
    names = ("pink primrose", "hard-leaved pocket orchid", "canterbury bells", "sweet pea")
    files, made = coop(names, lambda c, n: f"image_{5 * c + n + 1:05}.jpg")
    made.archives["102flowers.tgz"] = tar(below("jpg", files))
    return made


def oxford_pets() -> Made:
    names = ("abyssinian", "american_bulldog", "basset_hound", "yorkshire_terrier")
    folders = ("Abyssinian", *names[1:])
    files, made = coop(names, lambda c, n: f"{folders[c]}_{n + 1}.jpg")
    files |= {"Abyssinian_100.mat": b"MATLAB 5.0", "._Abyssinian_1.jpg": b"\0\5\26\7"}
    made.archives["images.tar.gz"] = tar(below("images", files))
    return made


def resisc45() -> Made:
    names, draw, files = ("airplane", "airport", "baseball_diamond", "wetland"), Pictures(), {}
    for label, (name, size) in enumerate(zip(names, (5, 4, 4, 4), strict=True)):
        files |= {f"{name}/{name}_{number + 1:03}.jpg": draw.file(label) for number in range(size)}
    archive = zipped(below("NWPU-RESISC45", files | {"airplane/.DS_Store": b""}) | FINDER)
    counts = {"classes": 4, "train": 8, "val": 4, "test": 5}  # 50, 20 and 30 % of each class, to whole images
    return Made({"NWPU-RESISC45.zip": archive}, counts, names)


def stanford_cars() -> Made:
    names = (
        "2000 AM General Hummer SUV",
        "2012 Acura RL Sedan",
        "2012 Acura TL Sedan",
        "2012 smart fortwo Convertible",
    )
    files, made = coop(names, lambda c, n: f"cars_{'test' if n > TRAIN[c] else 'train'}/{5 * c + n + 1:05}.jpg")
    files |= {"devkit/cars_meta.mat": b"MATLAB 5.0", "cars_test_annos_withlabels.mat": b"MATLAB 5.0"}
    made.archives["stanford_cars.zip"] = zipped(below("stanford_cars", files) | FINDER)
    return made


def sun397() -> Made:
    folders = ("a/abbey", "c/church/indoor", "c/church/outdoor", "y/youth_hostel")
    names = ("abbey", "indoor church", "outdoor church", "youth_hostel")
    files, made = coop(names, lambda c, n: f"{folders[c]}/sun_ä {'abcde'[n]}{c}.jpg")
    made.archives["sun397.zip"] = zipped(below("sun397/SUN397", files | {"ClassName.txt": b"/a/abbey\n"}) | FINDER)
    return made


def ucf101() -> Made:
    names = ("Apply_Eye_Makeup", "Archery", "Baby_Crawling", "Yo_Yo")
    files, made = coop(names, lambda c, n: f"{names[c]}/v_{names[c].replace('_', '')}_g01_c{n + 1:02}.jpg")
    made.archives["ucf101.zip"] = zipped(below("ucf101/UCF-101-midframes", files) | FINDER)
    return made


def imagenet() -> Made:
    draw, archives = Pictures(), {}
    for label, (name, size) in enumerate(zip(IDENTIFIERS, TRAIN, strict=True)):
        files = {f"{name}_{10026 + 9 * number}.JPEG": draw.file(label) for number in range(size)}
        archives[f"{name}.tar"] = plain_tar(files)
    truth = (3, 1, 4, 2)  # by the devkit's own numbers, which follow no order of identifiers
    numbers = {2: TENCH, 4: GOLDFISH, 1: MISSILES[0], 3: MISSILES[1]}
    val = {f"ILSVRC2012_val_{number + 1:08}.JPEG": draw.file(IDENTIFIERS.index(numbers[each]))
           for number, each in enumerate(truth)}  # fmt: skip
    synsets = np.zeros(len(numbers), [("ILSVRC2012_ID", "O"), ("WNID", "O")])
    synsets["ILSVRC2012_ID"], synsets["WNID"] = [*numbers], [*numbers.values()]
    meta = io.BytesIO()
    savemat(meta, {"synsets": synsets})
    listed = "".join(f"{each}\n" for each in truth).encode()
    devkit = {"ILSVRC2012_validation_ground_truth.txt": listed, "meta.mat": meta.getvalue()}
    found = {
        "ILSVRC2012_img_train.tar": plain_tar(archives),
        "ILSVRC2012_img_val.tar": plain_tar(val),
        "ILSVRC2012_devkit_t12.tar.gz": tar(below("ILSVRC2012_devkit_t12/data", devkit)),
    }
    return Made(found, {"classes": 4, "train": sum(TRAIN), "val": 0, "test": 4}, ())


def shifted(archive: str, folder: str, names: Iterable[str], image: str, pack: Callable = tar) -> Made:
    """A set for testing with ImageNet's classes."""
    draw, names = Pictures(), tuple(names)
    files = {f"{name}/{image.format(number)}": draw.file(label)
             for label, name in enumerate(names) for number in range(2 - label % 2)}  # fmt: skip
    counts = {"classes": len(names), "train": len(names), "val": 0, "test": len(files)}
    return Made({archive: pack(below(folder, files | {"README.txt": b"about"}))}, counts, ())


def cifar(archive: str, folder: str, batches: Mapping[str, int], label_key: str, meta: str, names_key: str) -> Made:
    draw, names, files, labels = Pictures(), ("apple", "bear", "clock"), {}, {}
    for batch, size in batches.items():
        labels[batch] = [number % 3 for number in range(size)]
        images = np.stack([draw.pixels(label, 32, 32).transpose(2, 0, 1).reshape(-1) for label in labels[batch]])
        files[batch] = pickle.dumps({"batch_label": batch, "data": images, label_key: labels[batch]}, protocol=2)
    files |= {meta: pickle.dumps({names_key: list(names)}, protocol=2), "readme.html": b"<html>"}
    test = next(size for batch, size in batches.items() if "test" in batch)
    counts = {"classes": 3, "train": sum(batches.values()) - test, "val": 0, "test": test}
    return Made({archive: tar(below(folder, files))}, counts, names)


def svhn() -> Made:
    draw, labels, archives = Pictures(), {"train": [*range(1, 11)], "test": [10, 3, 7]}, {}
    for part, each in labels.items():
        buffer = io.BytesIO()
        images = np.stack([draw.pixels(label, 32, 32) for label in each], axis=-1)  # (32, 32, 3, n)
        savemat(buffer, {"X": images, "y": np.array(each, np.uint8)[:, None]})
        archives[f"{part}_32x32.mat"] = buffer.getvalue()
    return Made(archives, {"classes": 10, "train": 10, "val": 0, "test": 3}, ())


def gtsrb(archive: str, within: str) -> Made:
    draw, names = Pictures(), ("20_speed", "30_speed", "50_speed")
    train = {"GTSRB/Readme-Images.txt": b"about"}
    for label in range(3):
        folder = f"GTSRB/{within}/{label:05}"
        train[f"{folder}/GT-{label:05}.csv"] = b"Filename;Width\r\n"
        train |= {f"{folder}/00000_{number:05}.ppm": draw.ppm(label) for number in range(2)}
    test = {f"GTSRB/Final_Test/Images/{number:05}.ppm": draw.ppm(number) for number in range(3)}
    truth = "Filename;Width;ClassId\r\n" + "".join(f"{number:05}.ppm;20;{number}\r\n" for number in range(3))
    archives = {
        archive: zipped(train),
        "GTSRB_Final_Test_Images.zip": zipped(test),
        "GTSRB_Final_Test_GT.zip": zipped({"GT-final_test.csv": truth.encode()}),
    }
    counts = {"classes": 3, "train": 6, "val": 0, "test": 3}
    return Made(archives, counts, names, changes={"names": list(names)})


BATCHES = {"data_batch_1": 3, **{f"data_batch_{number}": 1 for number in range(2, 6)}, "test_batch": 3}
SETS: dict[str, Callable[[], Made]] = {
    **{make.__name__: make for make in (caltech101, dtd, eurosat, fgvc_aircraft, food101, oxford_flowers)},
    **{make.__name__: make for make in (oxford_pets, resisc45, stanford_cars, sun397, ucf101, imagenet, svhn)},
    "imagenetv2": lambda: shifted(
        "imagenetv2-matched-frequency.tar.gz",
        "imagenetv2-matched-frequency-format-val",
        ("0", "1", "10", "2"),
        "{}.jpeg",
    ),
    "imagenet_sketch": lambda: shifted("ImageNet-Sketch.zip", "sketch", IDENTIFIERS, "sketch_{}.JPEG", zipped),
    "imagenet_a": lambda: shifted("imagenet-a.tar", "imagenet-a", IDENTIFIERS[1:], "0.00{}_snail.jpg", plain_tar),
    "imagenet_r": lambda: shifted("imagenet-r.tar", "imagenet-r", IDENTIFIERS[:3], "art_{}.jpg", plain_tar),
    "cifar10": lambda: cifar(
        "cifar-10-python.tar.gz", "cifar-10-batches-py", BATCHES, "labels", "batches.meta", "label_names"
    ),
    "cifar100": lambda: cifar(
        "cifar-100-python.tar.gz",
        "cifar-100-python",
        {"train": 6, "test": 3},
        "fine_labels",
        "meta",
        "fine_label_names",
    ),
    "gtsrb": lambda: gtsrb("GTSRB-Training_fixed.zip", "Training"),
    "gtsrb_final": lambda: gtsrb("GTSRB_Final_Training_Images.zip", "Final_Training/Images"),
}
