"""Wrong inputs, each with the one line that is said of it: what is wrong, how it is made, and what the line says.

To add one: a function that makes it below a folder and then reads it, and an entry of ``CASES`` with what must be in
the line. Every line names the file, and what mends it.
"""

import codecs
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from papertables.attributes.names import check_names
from papertables.attributes.sampling import read_sentences, repeated
from papertables.base.errors import UserError
from papertables.base.files import read_yaml
from papertables.data import cache, prepare
from papertables.data.catalog import Dataset
from papertables.data.splits import SUBSET, Item, read_split

NAMES = ("red thing", "blue thing")
SENTENCES = {name: [f"A long sentence about a {name}."] for name in NAMES}
ENTRY = Dataset(
    id="tiny",
    label="Tiny",
    source={"kind": "manual", "step": "draw it"},
    places={"pictures": ()},
    split={"rule": "folders", "use_if_present": "split_tiny.json"},
    images="pictures",
    licence="none",
    classes=2,
    train=4,
    val=2,
    test=2,
    task="things",
    clip_template="a photo of a {}.",
)


class Case(NamedTuple):
    wrong: str
    made: Callable[[Path], object]
    says: tuple[str, ...]


def picture(seed: int = 0) -> Image.Image:
    """Noise with some structure, (200, 300)."""
    coarse = np.random.default_rng(seed).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((300, 200), Image.Resampling.BICUBIC)


def jpeg(seed: int = 0, **options) -> bytes:
    out = io.BytesIO()
    picture(seed).save(out, "JPEG", **options)
    return out.getvalue()


def split_file(path: Path, names: tuple[str, ...] = NAMES) -> Path:
    """One training and one test image per class."""
    items = [[f"images/{label}.png", label, name] for label, name in enumerate(names)]
    path.write_text(json.dumps({"train": items, "val": [], "test": items}), "utf-8")
    return path


def sentences(content: object, names: tuple[str, ...] = NAMES) -> Callable[[Path], None]:
    """Checks a file of sentences, given as bytes, text or what JSON holds, against the classes."""

    def check(folder: Path) -> None:
        path = folder / "tiny_des.json"
        raw = content if isinstance(content, bytes | str) else json.dumps(content)
        path.write_bytes(raw.encode() if isinstance(raw, str) else raw)
        check_names(split_file(folder / "split.json", names), [path])

    return check


def cached(name: str, image: Image.Image | bytes, fit: cache.Fit = "crop") -> Callable[[Path], None]:
    """Caches one image."""

    def build(folder: Path) -> None:
        path = folder / name
        if isinstance(image, bytes):
            path.write_bytes(image)
        else:
            image.save(path)
        cache.write(folder, [Item(name, 0, "red thing")], [0], 32, fit, folder / "cache.safetensors")

    return build


def raw_folder(folder: Path) -> Path:
    """Images of a set without a checksum, and their split."""
    parts = {"train": [], "val": [], "test": []}
    (folder / "raw" / "pictures").mkdir(parents=True)
    for number, part in enumerate(("train", "train", "val", "test") * 2):
        name = f"{number}.jpg"
        (folder / "raw" / "pictures" / name).write_bytes(jpeg(number))
        parts[part].append([name, number // 4, NAMES[number // 4]])
    (folder / "raw" / "split_tiny.json").write_text(json.dumps(parts), "utf-8")
    return folder / "raw"


def prepared(folder: Path, raw: Path) -> dict:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare, "dataset", lambda id: ENTRY)
        return prepare.prepare("tiny", folder / "ready", raw, seed=1)


def with_image(content: bytes, name: str = "5.jpg") -> Callable[[Path], None]:
    """Prepares the set with one image replaced."""

    def made(folder: Path) -> None:
        raw = raw_folder(folder)
        (raw / "pictures" / name).write_bytes(content)
        prepared(folder, raw)

    return made


def overwritten(content: bytes) -> bytes:
    """512 bytes in the middle are others."""
    middle, other = len(content) // 2, np.random.default_rng(5).integers(0, 255, 512, dtype=np.uint8).tobytes()
    return content[:middle] + other + content[middle + 512 :]


def changed_between(folder: Path) -> None:
    """An image is another one the next time."""
    raw = raw_folder(folder)
    prepared(folder, raw)
    (raw / "pictures" / "5.jpg").write_bytes(jpeg(50))
    prepared(folder, raw)


def saved(mode: str, suffix: str) -> bytes:
    out = io.BytesIO()
    picture().convert("L").convert(mode).save(out, suffix)
    return out.getvalue()


def flat_folder(folder: Path) -> None:
    """ImageNet as it is unpacked: the images of its test part lie in no folders."""
    (folder / "images" / "val").mkdir(parents=True)
    (folder / "images" / "val" / "ILSVRC2012_val_00000001.JPEG").write_bytes(jpeg())
    list(prepare._class_folders(folder / "images", "val", {"n01440764": "tench", "n01443537": "goldfish"}))


def text(name: str, content: bytes, read: Callable[[Path], object]) -> Callable[[Path], object]:
    def made(folder: Path) -> object:
        (folder / name).write_bytes(content)
        return read(folder / name)

    return made


TWICE = '{"red thing": ["A long sentence about it."], "blue thing": [], "red thing": []}'
ACCENTED = json.dumps({"café": ["A long sentence about it."]}, ensure_ascii=False)
CASES = [
    Case("a class twice", sentences(TWICE), ("tiny_des.json: 'red thing' stands twice: keep one",)),
    Case(
        "a class missing",
        sentences({"red thing": SENTENCES["red thing"], "blue things": []}),
        ("tiny_des.json: class 'blue thing' has no entry (did you mean 'blue things'?)", "add its sentences"),
    ),
    Case(
        "a class too many",
        sentences(SENTENCES | {"green thing": [], "old thing": []}),
        ("tiny_des.json: 'green thing' is no class of this data set (did you mean", "delete its entry and 1 more"),
    ),
    Case(
        "an empty list",
        sentences(SENTENCES | {"blue thing": []}),
        ("tiny_des.json: class 'blue thing' has no sentence of 20 characters or more: add some",),
    ),
    Case(
        "short sentences alone",
        sentences(SENTENCES | {"blue thing": ["Blue."]}),
        ("tiny_des.json: class 'blue thing' has no sentence of 20 characters or more: add some",),
    ),
    Case("a list of lists", sentences([["red thing"]]), ("tiny_des.json: must be an object of class names",)),
    Case(
        "sentences that are no list",
        sentences({"red thing": "A long sentence about it."}),
        ("tiny_des.json: class 'red thing' must have a list of sentences",),
    ),
    Case("no JSON", sentences("{"), ("tiny_des.json: not a JSON file",)),
    Case(
        "sentences in Latin-1",
        sentences(ACCENTED.encode("latin-1"), ("café",)),
        ("tiny_des.json: not UTF-8 (byte 0xe9 in line 1): save it as UTF-8",),
    ),
    Case(
        "sentences in UTF-16",
        sentences(ACCENTED.encode("utf-16"), ("café",)),
        ("tiny_des.json: not UTF-8 (it begins as UTF-16 does): save it as UTF-8",),
    ),
    Case(
        "a split in Latin-1",
        text("split.json", '{"train": [["é.png", 0, "a"]]}'.encode("latin-1"), read_split),
        ("split.json: not UTF-8 (byte 0xe9 in line 1)",),
    ),
    Case(
        "a part of a split twice",
        text("split.json", b'{"train": [], "val": [], "test": [], "train": []}', read_split),
        ("split.json: 'train' stands twice: keep one of them",),
    ),
    Case(
        "a declaration in UTF-16",
        text("config.yaml", "title: é".encode("utf-16"), read_yaml),
        ("config.yaml: not UTF-8 (it begins as UTF-16 does)",),
    ),
    Case(
        "greys that are real numbers",
        cached("x.tif", picture().convert("F")),
        ("x.tif: greys of real numbers do not say what is white: save it with 8 or 16 bits",),
    ),
    Case(
        "greys of 32 bits, as they are",
        cached("x.tif", picture().convert("I"), "original"),
        ("x.tif: greys of 32 bits do not say what is white: save it with 8 or 16 bits",),
    ),
    Case(
        "greys that are real numbers, in a data set",
        with_image(saved("F", "TIFF")),
        ("tiny: image ", "images/5.jpg: greys of real numbers do not say what is white"),
    ),
    Case("a truncated JPEG", with_image(jpeg()[:-900]), ("tiny: image ", "5.jpg is truncated or unreadable")),
    Case(
        "a truncated JPEG, to be cached as it is",
        cached("x.jpg", jpeg()[:-900], "original"),
        ("x.jpg: cannot be read as an image (image file is truncated", "manifest.json and run again"),
    ),
    Case(
        "a JPEG that was truncated and closed",
        with_image(jpeg()[:-900] + b"\xff\xd9"),
        ("tiny: image ", "images/5.jpg has a damaged scan (premature end of data segment): fetch it again"),
    ),
    Case(
        "a JPEG with a damaged scan",
        with_image(overwritten(jpeg())),
        ("tiny: image ", "images/5.jpg has a damaged scan (", "): fetch it again, or save it anew"),
    ),
    Case(
        "a progressive JPEG with a damaged scan",
        with_image(overwritten(jpeg(progressive=True))),
        ("tiny: image ", "images/5.jpg has a damaged scan (", "): fetch it again, or save it anew"),
    ),
    Case(
        "an image that changed",
        changed_between,
        (
            "tiny: 1 of 8 images are not what they were when this set was last prepared (images/5.jpg): bring them",
            "or delete ",
            "images.sha256 to take them as they are",
        ),
    ),
    Case(
        "images in no folder of a class",
        flat_folder,
        ("images/val has no folder of a class: put each image into a folder that is named as its class, n01440764 to",),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.wrong.replace(" ", "-"))
def test_a_wrong_input_is_told_in_one_line(case, tmp_path):
    with pytest.raises(UserError) as error:
        case.made(tmp_path)
    said = str(error.value)
    assert "\n" not in said
    for part in case.says:
        assert part in said


def test_a_byte_order_mark_changes_nothing(tmp_path):
    plain, marked = tmp_path / "a.json", tmp_path / "b.json"
    plain.write_text(json.dumps(SENTENCES), "utf-8")
    marked.write_bytes(codecs.BOM_UTF8 + plain.read_bytes())
    assert read_sentences(marked) == read_sentences(plain) == SENTENCES


def test_lists_shorter_than_what_is_drawn_are_counted(tmp_path):
    path = tmp_path / "tiny_des.json"
    path.write_text(json.dumps(SENTENCES | {"red thing": [f"Sentence number {n} of it." for n in range(5)]}), "utf-8")
    found = read_sentences(path)
    assert repeated(found, NAMES, 1) is None
    assert repeated(found, NAMES, 5) == (
        f"{path}: 1 of 2 classes have fewer than 5 sentences to use, so some are drawn twice; the fewest has "
        "'blue thing' with 1"
    )


RAMP = np.linspace(0, 65535, 64, dtype=np.uint16)[None].repeat(64, 0)


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
@pytest.mark.parametrize("fit", ["square", "original"])
def test_greys_of_sixteen_bits_keep_their_levels(suffix, fit, tmp_path):
    path = tmp_path / f"ramp.{suffix}"
    Image.fromarray(RAMP).save(path)
    assert np.array_equal(cache.load(path, 64, fit), np.broadcast_to(RAMP >> 8, (3, 64, 64)))
    cache.write(tmp_path, [Item(path.name, 0, "a")], [0], 64, fit, tmp_path / "cache")
    assert np.array_equal(cache.read(tmp_path / "cache").image(0), np.broadcast_to(RAMP >> 8, (3, 64, 64)))


@pytest.mark.parametrize(
    ("mode", "suffix"), [("LA", "png"), ("RGBA", "png"), ("P", "png"), ("1", "png"), ("CMYK", "jpg"), ("YCbCr", "jpg")]
)
def test_other_modes_are_converted_as_by_the_released_loaders(mode, suffix, tmp_path):
    path = tmp_path / f"x.{suffix}"
    picture().convert("L" if mode == "LA" else "RGB").convert(mode).save(path)
    with Image.open(path) as image:
        expected = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    assert np.array_equal(cache.load(path, 0, "original"), expected)


def test_images_whose_archive_was_checked_are_taken_as_published(tmp_path, monkeypatch):
    """Some published images have scans that libjpeg complains of, and the released code trains on them."""
    raw = raw_folder(tmp_path)
    (raw / "pictures" / "5.jpg").write_bytes(overwritten(jpeg()))
    monkeypatch.setattr(prepare, "unverified", lambda entry, raw: ["archive.zip"])
    assert prepared(tmp_path, raw)["images"] == 8


def test_changed_images_are_taken_once_the_record_is_deleted(tmp_path):
    raw = raw_folder(tmp_path)
    before = prepared(tmp_path, raw)["digest"]
    assert prepared(tmp_path, raw)["digest"] == before
    (raw / "pictures" / "5.jpg").write_bytes(jpeg(50))
    (tmp_path / "ready" / prepare.KNOWN).unlink()
    assert prepared(tmp_path, raw)["digest"] != before


def test_a_subset_of_the_images_is_no_change(tmp_path):
    raw = raw_folder(tmp_path)
    whole = prepared(tmp_path, raw)
    items = [[f"pictures/{4 * label}.jpg", label, name] for label, name in enumerate(NAMES)]
    (raw / SUBSET).write_text(json.dumps({"train": items, "val": [], "test": items}), "utf-8")
    assert prepared(tmp_path, raw)["made_by"] == SUBSET
    (raw / SUBSET).unlink()
    assert prepared(tmp_path, raw) == whole
