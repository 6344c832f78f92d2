import errno
import json

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import load_file
from torchvision import transforms

from papertables.base.errors import UserError
from papertables.base.files import write_atomic
from papertables.data import cache

SIDE = 16


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    items = []
    for number in range(6):
        shape = (20 + 7 * number, 30, 3) if number % 2 else (20, 25 + 9 * number, 3)
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(tmp_path / f"{number}.png")
        items.append([f"{number}.png", number % 2, "ab"[number % 2]])
    (tmp_path / "split.json").write_text(json.dumps({"train": items, "val": [], "test": items[:2]}))
    return tmp_path


def test_images_of_differing_sizes(folder):
    cache.build(folder, "train", SIDE, "short", None, folder / "out" / "train")
    images = cache.read(folder / "out" / "train")
    assert images.labels.tolist() == [0, 1] * 3
    assert (images.sizes.min(axis=1) == SIDE).all()
    batch = images.batch([4, 1])
    for found, row in zip(batch, (4, 1), strict=True):
        expected = cache.load(folder / f"{row}.png", SIDE, "short")
        _, height, width = expected.shape
        assert np.array_equal(found[:, :height, :width], expected)
        assert np.array_equal(images.image(row), expected)
        assert not found[:, height:].any()
        assert not found[:, :, width:].any()


def test_the_file_is_a_safetensors_file(folder):
    cache.build(folder, "test", SIDE, "crop", None, folder / "test")
    stored = load_file(folder / "test")
    assert stored["sizes"].tolist() == [[SIDE, SIDE]] * 2
    assert np.array_equal(stored["pixels"], cache.read(folder / "test").batch([0, 1]).ravel())


@pytest.mark.parametrize("part", ["train", "test"])
def test_square_keeps_no_aspect_ratio(folder, part):
    """As torchvision does it on a Pillow image by default."""
    cache.build(folder, part, SIDE, "square", None, folder / "out")
    images = cache.read(folder / "out")
    assert (images.sizes == SIDE).all()
    resize = transforms.Resize((SIDE, SIDE))
    for row in range(len(images)):
        with Image.open(folder / f"{row}.png") as image:
            expected = np.asarray(resize(image.convert("RGB"))).transpose(2, 0, 1)
        assert np.array_equal(images.image(row), expected)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    rng = np.random.default_rng(1)
    image = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)).convert(mode)
    image.save(tmp_path / "image.png")
    for fit in ("short", "crop", "square"):
        assert len(cache.load(tmp_path / "image.png", SIDE, fit)) == 3


def test_the_file_says_how_it_was_resized(folder):
    said = []
    for fit in ("short", "crop", "square"):
        cache.build(folder, "test", SIDE, fit, None, folder / fit)
        with safe_open(folder / fit, "numpy") as file:
            said.append(file.metadata()["transform"])
    assert said == ["resize 16, bicubic", "resize 16, bicubic, centre crop", "resize 16 x 16, bilinear"]


def test_a_square_of_another_square(folder):
    """Resized twice, each time as torchvision does it by default."""
    cache.build(folder, "test", SIDE, "square9", None, folder / "out")
    images = cache.read(folder / "out")
    first, second = transforms.Resize((9, 9)), transforms.Resize((SIDE, SIDE))
    for row in range(len(images)):
        with Image.open(folder / f"{row}.png") as image:
            assert np.array_equal(images.image(row), np.asarray(second(first(image))).transpose(2, 0, 1))
    with safe_open(folder / "out", "numpy") as file:
        assert file.metadata()["transform"] == "resize 9 x 9, bilinear, resize 16 x 16, bilinear"


@pytest.mark.parametrize(("most", "count"), [(4, 4), (6, 6)])
def test_a_sample_of_the_train_part_is_always_the_same(folder, monkeypatch, most, count):
    monkeypatch.setattr(cache, "TRAIN_SAMPLE", most)
    chosen = []
    for name in ("one", "other"):
        cache.build(folder, "train_sample", SIDE, "square", None, folder / name)
        chosen.append(cache.read(folder / name).items.tolist())
    assert chosen[0] == chosen[1] == sorted(set(chosen[0])) and len(chosen[0]) == count


def test_only_what_is_drawn_is_cached(folder):
    cache.build(folder, "train", SIDE, "short", [(1, 0), (1, 1)], folder / "train")
    images = cache.read(folder / "train")
    assert 2 <= len(images) <= 4
    rows = images.rows(images.items[::-1])
    assert rows.tolist() == list(range(len(images)))[::-1]
    with pytest.raises(UserError, match="lacks image 99"):
        images.rows([99])


@pytest.mark.parametrize("damage", [b"", b"no image", None])
def test_an_unreadable_image_is_named_and_nothing_is_left(folder, damage):
    path = folder / "3.png"
    path.write_bytes(path.read_bytes()[:200] if damage is None else damage)
    with pytest.raises(UserError, match=r"3\.png: cannot be read"):
        cache.build(folder, "train", SIDE, "short", None, folder / "out" / "train")
    assert not any((folder / "out").iterdir()) if (folder / "out").exists() else True


def test_a_missing_image_is_named(folder):
    (folder / "3.png").unlink()
    with pytest.raises(UserError, match=r"3\.png"):
        cache.build(folder, "train", SIDE, "short", None, folder / "train")


def test_a_full_disk(tmp_path):
    target = tmp_path / "file"
    target.write_bytes(b"old")

    def chunks():
        yield b"some"
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(UserError, match="the disk is full"):
        write_atomic(target, chunks())
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]
