import errno
import json

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from papertables.data import cache
from papertables.errors import UserError
from papertables.files import write_atomic

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
    cache.build(folder, "train", SIDE, None, folder / "out" / "train")
    images = cache.read(folder / "out" / "train")
    assert images.labels.tolist() == [0, 1] * 3
    assert (images.sizes.min(axis=1) == SIDE).all()
    batch = images.batch([4, 1])
    for found, row in zip(batch, (4, 1), strict=True):
        expected = cache.load(folder / f"{row}.png", SIDE, crop=False)
        _, height, width = expected.shape
        assert np.array_equal(found[:, :height, :width], expected)
        assert np.array_equal(images.image(row), expected)
        assert not found[:, height:].any()
        assert not found[:, :, width:].any()


def test_the_file_is_a_safetensors_file(folder):
    cache.build(folder, "test", SIDE, None, folder / "test")
    stored = load_file(folder / "test")
    assert stored["sizes"].tolist() == [[SIDE, SIDE]] * 2
    assert np.array_equal(stored["pixels"], cache.read(folder / "test").batch([0, 1]).ravel())


def test_only_what_is_drawn_is_cached(folder):
    cache.build(folder, "train", SIDE, [(1, 0), (1, 1)], folder / "train")
    images = cache.read(folder / "train")
    assert 2 <= len(images) <= 4
    rows = images.rows(images.items[::-1])
    assert rows.tolist() == list(range(len(images)))[::-1]
    with pytest.raises(UserError, match="lacks image 99"):
        images.rows([99])


def test_strict_shots(folder):
    with pytest.raises(UserError, match="class 'a' has 3 training images"):
        cache.build(folder, "train", SIDE, [(4, 0)], folder / "train", strict_shots=True)


@pytest.mark.parametrize("damage", [b"", b"no image", None])
def test_an_unreadable_image_is_named_and_nothing_is_left(folder, damage):
    path = folder / "3.png"
    path.write_bytes(path.read_bytes()[:200] if damage is None else damage)
    with pytest.raises(UserError, match=r"3\.png: cannot be read"):
        cache.build(folder, "train", SIDE, None, folder / "out" / "train")
    assert not any((folder / "out").iterdir()) if (folder / "out").exists() else True


def test_a_missing_image_is_named(folder):
    (folder / "3.png").unlink()
    with pytest.raises(UserError, match=r"3\.png"):
        cache.build(folder, "train", SIDE, None, folder / "train")


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
