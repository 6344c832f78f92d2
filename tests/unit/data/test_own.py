"""A data set of one's own: what its folder and its file say, and what they may say wrong."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from papertables.attributes.anchors import anchors
from papertables.base.errors import UserError
from papertables.data import raw
from papertables.data.catalog import dataset, datasets
from papertables.data.own import own_datasets
from papertables.data.prepare import prepare
from papertables.data.ready import make_ready
from papertables.data.splits import read_split
from papertables.data.transfer import DIRECT

CLASSES = ("ginkgo", "oak")


@pytest.fixture
def declare(tmp_path, monkeypatch):
    """Declares a data set, whose images lie in the working folder."""

    def write(text: str = "", name: str = "leaves"):
        path = tmp_path / "declared" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text if "label:" in text else f"label: Leaves\nimages: images\n{text}")
        forget()
        return dataset(name)

    monkeypatch.setattr("papertables.data.own.DECLARED", tmp_path / "declared")
    monkeypatch.chdir(tmp_path)
    yield write
    forget()


def forget() -> None:
    own_datasets.cache_clear()
    datasets.cache_clear()


def draw(folder: Path, images: int, classes: tuple[str, ...] = CLASSES) -> None:
    for place, name in enumerate(classes):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(images):
            Image.new("RGB", (8, 8), (place, number, 0)).save(folder / name / f"{number}.png")


def test_a_folder_of_every_class_is_cut(declare):
    draw(Path("images"), 10)
    entry = declare()
    assert (entry.classes, entry.train, entry.val, entry.test) == (2, 10, 4, 6)
    split = entry.read(seed=3)
    assert split.class_names == CLASSES
    assert entry.read(seed=3) == split != entry.read(seed=4)
    assert (declare("train_share: 0.7\nval_share: 0.1").train, dataset("leaves").val) == (14, 2)


def test_folders_train_and_test_are_its_parts(declare):
    draw(Path("images/train"), 3)
    draw(Path("images/test"), 2)
    entry = declare()
    assert (entry.classes, entry.train, entry.val, entry.test) == (2, 6, 0, 4)
    assert entry.read(0) == entry.read(1)
    assert entry.read(0).test[0] == ("test/ginkgo/0.png", 0, "ginkgo")
    draw(Path("images/val"), 1)
    assert declare().val == 2


def test_other_files_are_no_images(declare):
    draw(Path("images"), 10)
    Path("images/notes.txt").touch()
    Path("images/.hidden").mkdir()
    Path("images/oak/Thumbs.db").touch()
    Path("images/oak/.0.png").touch()
    assert (declare().classes, dataset("leaves").train) == (2, 10)


def test_classes_may_have_other_names_than_their_folders(declare):
    draw(Path("images"), 10)
    entry = declare("names: {ginkgo: maidenhair tree}")
    assert entry.read(0).class_names == ("maidenhair tree", "oak")


def test_it_is_prepared_where_it_lies(declare):
    draw(Path("images"), 10)
    declare()
    before = raw.stamps(Path("images"))
    manifest = prepare("leaves", Path("prepared"), Path("images"), seed=1)
    assert raw.stamps(Path("images")) == before
    assert (manifest["classes"], manifest["train"], manifest["unverified"]) == (2, 10, ["images of your own"])
    split = read_split(Path("prepared/split.json"))
    assert all((Path("prepared") / item.path).is_file() for item in split.train)


def test_a_changed_image_sets_it_off_and_is_taken(declare):
    draw(Path("images"), 10)
    declare()
    prepared, images = Path("prepared"), Path("images")
    make_ready("leaves", prepared, images, 1, DIRECT, None)
    first = (prepared / "manifest.json").read_text()
    assert raw.state(prepared, images) is None
    Image.new("RGB", (9, 9)).save("images/oak/0.png")
    told = raw.state(prepared, images)
    assert told
    make_ready("leaves", prepared, images, 1, DIRECT, told)
    assert (prepared / "manifest.json").read_text() != first
    assert raw.state(prepared, images) == told


def test_a_broken_image_is_named_with_a_mend_that_deletes_nothing_else(declare):
    draw(Path("images"), 10)
    Path("images/oak/3.png").write_bytes(b"no image")
    declare()
    with pytest.raises(UserError, match=r"oak/3.png is truncated or unreadable: replace or remove it$"):
        make_ready("leaves", Path("prepared"), Path("images"), 1, DIRECT, None)


def test_its_anchors_are_those_that_it_names(declare):
    declare("anchors: [shape, colour]")
    assert anchors("leaves").chosen == ("shape", "colour")
    declare()
    with pytest.raises(UserError, match=r"add 'anchors' to workflow/datasets/leaves.yaml"):
        anchors("leaves")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("counts: {classes: 3, train: 10, val: 4, test: 6}", "classes is 3, and images has 2: mend one of them"),
        ("counts: {classes: 2, train: 11, val: 4, test: 6}", "train is 11, and images has 10: mend one of them"),
        ("names: {oka: Oak}", r"unknown folder 'oka' \(did you mean 'oak'\?\): choose from ginkgo, oak"),
        ("names: {oak: ginkgo}", "two folders have one name: give each its own"),
        ("val_share: 0.01", "category 'ginkgo' has 10 images, too few for a val part: add images"),
    ],
)
def test_what_its_file_says_and_the_folder_does_not(declare, text, says):
    draw(Path("images"), 10)
    with pytest.raises(UserError, match=says):
        declare(text).read(0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("label: Leaves", "images is missing: add it"),
        ("label: Leaves\nimages: here\ncunts: 1", r"unknown key 'cunts' \(did you mean 'counts'\?\)"),
        ("label: DTD\nimages: here", "have the same label 'DTD'"),
        ("label: Leaves\nimages: here\nanchors: [a, b, c, d]", "anchors"),
        ("label: Leaves\nimages: here\ntrain_share: 0.9\nval_share: 0.5", "leaves.yaml: train_share is 0.9 and val_sh"),
        ("label: Leaves\nimages: here\ntrain_share: 0.8", "together they must be less than 1$"),
    ],
)
def test_a_file_that_cannot_be_read(declare, text, says):
    with pytest.raises(UserError, match=says):
        declare(text)


def test_its_name_is_not_one_of_the_catalog(declare):
    with pytest.raises(UserError, match="the catalog has a data set 'dtd' too: rename the file"):
        declare(name="dtd")


def nothing(folder: Path) -> None:
    shutil.rmtree(folder)


def no_classes(folder: Path) -> None:
    nothing(folder)
    folder.mkdir()


def an_empty_class(folder: Path) -> None:
    (folder / "elm").mkdir()


def one_class(folder: Path) -> None:
    shutil.rmtree(folder / "oak")


def nested(folder: Path) -> None:
    folder.rename("leaves")
    folder.mkdir()
    Path("leaves").rename(folder / "leaves")
    (folder / "__MACOSX" / "leaves" / "oak").mkdir(parents=True)


def nested_parts(folder: Path) -> None:
    nothing(folder)
    draw(folder / "leaves" / "train", 2)
    draw(folder / "leaves" / "test", 2)


def images_in_folders_of_a_class(folder: Path) -> None:
    nothing(folder)
    draw(folder / "oak", 2, ("spring", "autumn"))
    draw(folder / "ginkgo", 2, ("spring", "autumn"))


def a_class_without_a_test(folder: Path) -> None:
    draw(folder / "train", 2)
    draw(folder / "test", 2, ("oak",))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (nothing, "there is no folder images: put its images there"),
        (no_classes, "images has no folder of a class: put each image into one named as its class"),
        (an_empty_class, "images/elm has no image: add some"),
        (one_class, "images has one class alone, 'ginkgo': add a folder for each other one"),
        (nested, "are in images/leaves: write 'images: images/leaves' in workflow/datasets/leaves.yaml"),
        (nested_parts, "are in images/leaves: write 'images: images/leaves' in workflow/datasets/leaves.yaml"),
        (images_in_folders_of_a_class, "images/ginkgo has its images in folders below it: move them into it"),
        (a_class_without_a_test, "images/train has a class 'ginkgo', and test has none: add it"),
    ],
)
def test_what_its_folder_lacks(declare, spoil, says):
    draw(Path("images"), 10)
    spoil(Path("images"))
    assert says in declare().problem
