"""Folders that a lab shares: what lies there is used where it is, nothing in them changes, and what is missing is
fetched beside."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from papertables.base.errors import UserError
from papertables.data import prepare, ready
from papertables.data.catalog import Dataset, dataset, datasets
from papertables.data.download import IN_PLACE, fetch, unverified
from papertables.data.found import Found, find
from papertables.data.ready import make_ready
from papertables.data.shared import image_places
from papertables.data.transfer import Network
from papertables.data.unpack import BEGUN, note_of
from tests.archives import below, plain_tar, sha256, state, tar
from tests.fault_server import FaultServer

RNG = np.random.default_rng(0)
COOP = {  # the folders of CoOp's DATASETS.md
    "imagenet": ("imagenet/images/train", "imagenet/images/val"),
    "caltech101": ("caltech-101/101_ObjectCategories",),
    "oxford_pets": ("oxford_pets/images",),
    "stanford_cars": ("stanford_cars/cars_train", "stanford_cars/cars_test"),
    "oxford_flowers": ("oxford_flowers/jpg",),
    "food101": ("food-101/images",),
    "fgvc_aircraft": (
        "fgvc_aircraft/images",
        "fgvc_aircraft/variants.txt",
        *(f"fgvc_aircraft/images_variant_{part}.txt" for part in ("train", "val", "test")),
    ),
    "sun397": ("sun397/SUN397",),
    "dtd": ("dtd/images",),
    "eurosat": ("eurosat/2750",),
    "ucf101": ("ucf101/UCF-101-midframes",),
    "imagenetv2": ("imagenetv2/imagenetv2-matched-frequency-format-val",),
    "imagenet_sketch": ("imagenet-sketch/images",),
    "imagenet_a": ("imagenet-adversarial/imagenet-a",),
    "imagenet_r": ("imagenet-rendition/imagenet-r",),
}
TENCH, GOLDFISH = "n01440764", "n01443537"


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


IMAGES = {f"{name}/{number}.jpg": picture() for name in ("cat", "dog") for number in range(3)}
PARTS = {"train": (0,), "val": (1,), "test": (2,)}
SPLIT = json.dumps(
    {part: [[f"{c}/{n}.jpg", label, c] for label, c in enumerate(("cat", "dog")) for n in numbers]
     for part, numbers in PARTS.items()}
).encode()  # fmt: skip
ARCHIVE = tar({f"pictures/{name}": content for name, content in IMAGES.items()})


@pytest.fixture
def lab(tmp_path):
    """A folder that nobody may write to, in which nothing changes."""
    folder = tmp_path / "lab"
    folder.mkdir()
    before = {}

    def close(files: dict[str, bytes]) -> Path:
        write(folder, files)
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        before.update(state(folder))
        return folder

    yield close
    assert state(folder) == before
    for path in [folder, *filter(Path.is_dir, folder.rglob("*"))]:
        path.chmod(0o755)


@pytest.fixture
def web():
    with FaultServer({"tiny.tar.gz": ARCHIVE, "split_tiny.json": SPLIT}) as server:
        yield server


@pytest.fixture
def tiny(web, monkeypatch) -> Dataset:
    """A set of two classes, which CoOp would keep in the folder tiny-set."""
    file = {"name": "tiny.tar.gz", "urls": [f"{web.url}/tiny.tar.gz"], "sha256": sha256(ARCHIVE), "format": "tar"}
    split = {"name": "split_tiny.json", "urls": [f"{web.url}/split_tiny.json"], "sha256": sha256(SPLIT)}
    known = {"id": "tiny", "label": "Tiny", "source": {"kind": "url", "files": [file]}, "licence": "none"}
    known |= {"split": {"rule": "file", "file": split}, "places": {"pictures": ["tiny-set/pictures"]}}
    known |= {"images": "pictures", "classes": 2, "train": 2, "val": 2, "test": 2, "task": "x", "clip_template": "{}"}
    entry = Dataset(**known)
    for module in (prepare, ready):
        monkeypatch.setattr(module, "dataset", lambda id: entry)
    return entry


def make(tmp_path, *shared: Path, out: str = "ready", raw: str = "raw", told=None) -> dict:
    network = Network(patience=0.2, shared=shared)
    make_ready("tiny", tmp_path / out, tmp_path / raw, 1, network, told)
    return json.loads((tmp_path / out / "manifest.json").read_text())


def asked(web) -> list[str]:
    return [path for path, _ in web.asked]


def test_every_set_of_coop_has_its_folder(tmp_path):
    for places in COOP.values():
        write(tmp_path, {f"{place}/image.jpg": b"x" for place in places if not place.endswith(".txt")})
        write(tmp_path, {place: b"x" for place in places if place.endswith(".txt")})
    for id, places in COOP.items():
        found = image_places(dataset(id), [tmp_path])
        assert set(found.values()) == {tmp_path / place for place in places}
        assert found.keys() == dataset(id).places.keys()


@pytest.mark.parametrize("id", [id for id, entry in datasets().items() if entry.source.kind != "drawn"])
def test_the_images_of_every_set_are_among_its_places(id):
    entry = dataset(id)
    assert entry.split.reader or any(
        place.startswith(entry.images) or entry.images.startswith(place) or entry.images == "."
        for place in entry.places
    ), "what the prepared images are linked to"  # fmt: skip


def test_what_lies_there_is_used_where_it_is(lab, web, tiny, tmp_path):
    files = {f"tiny-set/pictures/{name}": content for name, content in IMAGES.items()}
    shared = lab(files | {"tiny-set/split_tiny.json": SPLIT})
    manifest = make(tmp_path, shared)
    assert not web.asked
    assert (manifest["classes"], manifest["images"], manifest["unverified"]) == (2, 6, [IN_PLACE])
    assert (tmp_path / "ready/images/cat/0.jpg").resolve() == shared / "tiny-set/pictures/cat/0.jpg"
    own = [path for path in (tmp_path / "raw").rglob("*") if not path.is_symlink()]
    assert own == []  # nothing was copied
    assert make(tmp_path, raw="elsewhere", out="fetched")["digest"] == manifest["digest"]
    assert make(tmp_path, shared, told="again") == manifest


def test_what_is_missing_is_fetched_into_ones_own_folder(lab, web, tiny, tmp_path):
    make(tmp_path, lab({f"tiny-set/pictures/{name}": content for name, content in IMAGES.items()}))
    assert asked(web) == ["split_tiny.json"]
    assert not (tmp_path / "raw/split_tiny.json").is_symlink()


def test_another_split_file_is_passed_over(lab, web, tiny, tmp_path, capsys):
    files = {f"tiny-set/pictures/{name}": content for name, content in IMAGES.items()}
    make(tmp_path, lab(files | {"tiny-set/split_tiny.json": SPLIT + b"\n"}))
    assert asked(web) == ["split_tiny.json"]
    assert "lab/tiny-set/split_tiny.json is passed over: its checksum is not sha256:" in capsys.readouterr().out


@pytest.mark.parametrize("place", ["tiny.tar.gz", "tiny/tiny.tar.gz", "tiny-set/tiny.tar.gz"])
def test_an_archive_there_is_unpacked_here(lab, web, tiny, tmp_path, place):
    shared = lab({place: ARCHIVE})
    manifest = make(tmp_path, shared)
    assert asked(web) == ["split_tiny.json"]
    assert "unverified" not in manifest
    assert (tmp_path / "raw/tiny.tar.gz").resolve() == shared / place
    assert not (tmp_path / "raw/pictures").is_symlink()


def test_an_altered_archive_there_is_left_alone(lab, web, tiny, tmp_path):
    make(tmp_path, lab({"tiny.tar.gz": ARCHIVE[:-3]}))
    assert asked(web) == ["tiny.tar.gz", "split_tiny.json"]


def test_the_data_folder_of_somebody_else_will_do(lab, web, tiny, tmp_path):
    first = make(tmp_path, raw="tiny")
    shared = lab({})
    other = tmp_path / "other"
    other.mkdir()
    (tmp_path / "tiny").rename(other / "tiny")
    web.asked.clear()
    assert make(tmp_path, shared, other)["digest"] == first["digest"]
    assert not web.asked


@pytest.mark.parametrize("wrong", ["missing", "damaged"])
def test_images_that_are_not_whole_come_from_their_archive(lab, web, tiny, tmp_path, capsys, wrong):
    files = {f"tiny-set/pictures/{name}": content for name, content in IMAGES.items()}
    if wrong == "missing":
        del files["tiny-set/pictures/dog/2.jpg"]
    else:
        files["tiny-set/pictures/dog/2.jpg"] = picture()[:100]
    manifest = make(tmp_path, lab(files))
    assert asked(web) == ["split_tiny.json", "tiny.tar.gz"]
    assert "unverified" not in manifest
    assert not (tmp_path / "raw/pictures").is_symlink()
    assert "dog/2.jpg is" in capsys.readouterr().out


def test_both_are_told_where_there_is_no_way_out(lab, web, tiny, tmp_path):
    files = {f"tiny-set/pictures/{name}": content for name, content in IMAGES.items() if "dog/2" not in name}
    web.files.clear()
    shared = lab(files | {"split_tiny.json": SPLIT})
    with pytest.raises(UserError, match=r"dog/2\.jpg is missing, in .*lab/tiny-set/pictures; and cannot download") as e:
        make(tmp_path, shared)
    assert "\n" not in str(e.value)


def test_nothing_is_unpacked_through_a_link(lab, web, tiny, tmp_path):
    shared = lab({"elsewhere/cat/0.jpg": b"theirs"})
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/pictures").symlink_to(shared / "elsewhere")
    make(tmp_path)
    assert (tmp_path / "raw/pictures/cat/0.jpg").read_bytes() == IMAGES["cat/0.jpg"]


def test_a_shared_folder_that_has_moved_is_found_again(web, tiny, tmp_path):
    write(tmp_path / "lab", {f"tiny-set/pictures/{name}": content for name, content in IMAGES.items()})
    first = make(tmp_path, tmp_path / "lab")
    (tmp_path / "lab").rename(tmp_path / "moved")
    assert make(tmp_path, tmp_path / "moved") == first
    assert asked(web) == ["split_tiny.json"]


def devkit(classes: list[str]) -> bytes:
    """The list of the classes of as many validation images, in the devkit's format; its numbers are not in order."""
    numbers = {name: number for number, name in enumerate(sorted({*classes}, reverse=True), start=1)}
    synsets = np.array([(n, w, w, w, 0) for w, n in numbers.items()], dtype=[
        ("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("gloss", "O"), ("num_children", "O")
    ])[:, None]  # fmt: skip
    meta = io.BytesIO()
    savemat(meta, {"synsets": synsets})
    truth = "".join(f"{numbers[name]}\n" for name in classes)
    top = "ILSVRC2012_devkit_t12/data"
    return tar({f"{top}/meta.mat": meta.getvalue(), f"{top}/ILSVRC2012_validation_ground_truth.txt": truth.encode()})


VALIDATION = [GOLDFISH, TENCH, GOLDFISH]
TRAIN = {f"{name}/{name}_{number}.JPEG": picture() for name in (TENCH, GOLDFISH) for number in (10, 9)}
VAL = {f"ILSVRC2012_val_{number:08}.JPEG": picture() for number in (1, 2, 3)}
DEVKIT = devkit(VALIDATION)


CLASS_TARS = {
    f"{name}.tar": plain_tar({Path(file).name: content for file, content in TRAIN.items() if file.startswith(name)})
    for name in (TENCH, GOLDFISH)
}
OFFICIAL = {"ILSVRC2012_img_train.tar": plain_tar(CLASS_TARS), "ILSVRC2012_img_val.tar": plain_tar(VAL)}
SORTED = {f"{VALIDATION[number]}/{name}": content for number, (name, content) in enumerate(VAL.items())}


@pytest.fixture
def imagenet(web, monkeypatch) -> Dataset:
    """With two classes, and the checksums of small archives."""
    entry = dataset("imagenet")
    web.files["devkit"] = DEVKIT
    archives = tuple(
        each.model_copy(update={"md5": None, "sha256": sha256(OFFICIAL[each.name])}) for each in entry.source.archives
    )
    known = {"urls": (f"{web.url}/devkit",), "md5": None, "sha256": sha256(DEVKIT)}
    unsorted = entry.source.unsorted.model_copy(
        update={"labels": entry.source.unsorted.labels.model_copy(update=known)}
    )
    source = entry.source.model_copy(update={"archives": archives, "unsorted": unsorted})
    entry = entry.model_copy(update={"source": source, "classes": 2, "train": 4, "test": 3})
    for module in (prepare, ready):
        monkeypatch.setattr(module, "dataset", lambda id: entry)
    return entry


KINDS = {
    "sorted": below("imagenet/images/train", TRAIN) | below("imagenet/images/val", SORTED),
    "flat": below("imagenet/images/train", TRAIN) | below("imagenet/images/val", VAL),
    "flat, with its list": below("imagenet/train", TRAIN) | below("imagenet/val", VAL)
    | {"imagenet/ILSVRC2012_devkit_t12.tar.gz": DEVKIT},
    "archives of classes": below("imagenet/images/train", CLASS_TARS) | below("imagenet/images/val", SORTED),
    "archives of some classes": below("imagenet/images/train", {
        name: content for name, content in (CLASS_TARS | TRAIN).items() if name.endswith(".tar") or TENCH in name
    }) | below("imagenet/images/val", SORTED),
    "official archives": below("imagenet", OFFICIAL) | {"ILSVRC2012_devkit_t12.tar.gz": DEVKIT},
    "images and an archive": below("imagenet/images/train", TRAIN)
    | {"ILSVRC2012_img_val.tar": OFFICIAL["ILSVRC2012_img_val.tar"]},
}  # fmt: skip


def _ours(name: str) -> str:
    """Where a user puts it who shares nothing."""
    name = name.removeprefix("imagenet/")
    return f"images/{name}" if name.startswith(("train", "val")) else name


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["shared", "own"])
def test_imagenet_as_people_have_it(lab, web, imagenet, tmp_path, kind, where):
    shared = lab(KINDS[kind])
    if where == "own":
        write(tmp_path / "raw", {_ours(name): content for name, content in KINDS[kind].items()})
    make(tmp_path, *([shared] if where == "shared" else []))
    split = json.loads((tmp_path / "ready/split.json").read_text())
    tench, goldfish = [0, "tench"], [1, "goldfish"]
    assert [item[1:] for item in split["train"]] == [tench, tench, goldfish, goldfish]
    assert [Path(item[0]).name for item in split["train"]] == sorted(Path(name).name for name in TRAIN)
    assert [item[1:] for item in split["test"]] == [tench, goldfish, goldfish]
    for part, files in {"train": TRAIN, "test": VAL}.items():
        known = {Path(name).name: content for name, content in files.items()}
        for path, *_ in split[part]:
            assert (tmp_path / "ready" / path).read_bytes() == known[Path(path).name]
    without_list = kind in ("flat", "images and an archive")
    assert asked(web) == ["devkit"] * without_list
    make(tmp_path, *([shared] if where == "shared" else []), told="again")
    assert asked(web) == ["devkit"] * without_list


def test_a_flat_folder_without_its_list_is_told_how(web, imagenet, tmp_path):
    write(tmp_path / "raw/images", below("train", TRAIN) | below("val", VAL))
    web.files.clear()
    with pytest.raises(UserError, match=r"bring ILSVRC2012_devkit_t12\.tar\.gz from elsewhere and put it at"):
        make(tmp_path)
    with pytest.raises(UserError, match=r"images/val has no folders of classes: put ILSVRC2012_devkit_t12\.tar\.gz"):
        prepare.prepare("imagenet", tmp_path / "ready", tmp_path / "raw", 0)


def test_a_class_that_is_not_whole_in_a_shared_imagenet_is_told(lab, imagenet, tmp_path):
    files = dict(KINDS["sorted"])
    files.pop(f"imagenet/images/train/{TENCH}/{TENCH}_9.JPEG")
    with pytest.raises(
        UserError, match=r"expects 4: mend it in .*lab/imagenet/images/train, .*or take that out of sha"
    ):
        make(tmp_path, lab(files))


def test_what_is_nowhere_is_a_step_of_the_users(lab, imagenet, tmp_path):
    shared = lab(below("imagenet/images/train", TRAIN))
    with pytest.raises(UserError, match=r"needs a step of yours: .* \(missing: images/val\)"):
        fetch(imagenet, tmp_path / "raw", Network(shared=[shared]))
    assert unverified(imagenet, tmp_path / "raw") == [IN_PLACE]


STATES = dict.fromkeys(KINDS, "in place") | dict.fromkeys(("official archives", "images and an archive"), "archive")


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_plan_tells_of_imagenet_is_what_happens(lab, web, imagenet, tmp_path, kind):
    raw, shared = tmp_path / "raw", lab(KINDS[kind])
    found = find(imagenet, raw, [shared])
    assert found.state == STATES[kind]
    assert all(path.is_relative_to(shared) for path in found.where)
    make(tmp_path, shared)
    assert bool(asked(web)) == bool(found.lists)
    assert find(imagenet, raw, [shared])._replace(where=()) == Found("there")


def test_what_a_plan_tells_of_other_sets(lab, web, tiny, tmp_path):
    raw, shared = tmp_path / "raw", lab(below("a/tiny-set/pictures", IMAGES) | {"b/tiny.tar.gz": ARCHIVE})
    assert find(tiny, raw, []) == Found("fetch", (), ("split_tiny.json",))
    assert find(tiny, raw, [shared / "b", shared / "a"]) == Found(
        "in place", (shared / "a/tiny-set/pictures",), ("split_tiny.json",)
    )
    assert find(tiny, raw, [shared / "b"])[:2] == ("archive", (shared / "b/tiny.tar.gz",))
    note = note_of(tiny.source.files[0], raw)
    write(raw, {"pictures/cat/0.jpg": b"half of it", note.name: BEGUN})
    assert find(tiny, raw, [shared / "a"]).state == "fetch"
    make(tmp_path, shared / "a")
    assert find(tiny, raw, [shared / "a"]) == Found("there", (raw,))
    write(raw, {"split_subset.json": b"{}"})
    assert find(tiny, raw, []).where == (raw / "split_subset.json",)


def test_what_only_a_user_can_bring_is_a_step(imagenet, tmp_path):
    assert find(imagenet, tmp_path / "raw", [tmp_path]).state == "step"
