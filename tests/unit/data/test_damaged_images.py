"""Images that are no longer what was prepared are found when they are cached."""

import re
from pathlib import Path
from random import Random

import pytest

from papertables.base.errors import UserError
from papertables.base.files import file_digest
from papertables.data import cache
from papertables.data.known_images import keep_known, read_known
from papertables.data.prepare import prepare
from tests.unit.small_world import draw_dataset

FLIPS = 40


@pytest.fixture
def folder(tmp_path):
    """A prepared data set, with the digests of its images."""
    folder = draw_dataset(tmp_path)
    keep_known(folder, {path.name: file_digest(path) for path in folder.glob("*.png")})
    return folder


def build(folder: Path, fit: cache.Fit = "square") -> bytes:
    cache.build(folder, "test", 0 if fit == "original" else 8, fit, None, folder / "cache")
    return (folder / "cache").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("fit", ["square", "original"])
def test_every_flipped_bit_is_found(folder, fit):
    whole, random, image = build(folder, fit), Random(0), folder / "test-1-2.png"
    content = image.read_bytes()
    for _ in range(FLIPS):
        at = random.randrange(len(content))
        image.write_bytes(content[:at] + bytes([content[at] ^ 1 << random.randrange(8)]) + content[at + 1 :])
        with pytest.raises(UserError, match=rf"{image}: .*: delete {folder}/manifest\.json and run again$"):
            build(folder, fit)
    image.write_bytes(content)
    assert build(folder, fit) == whole


def test_another_image_is_found(folder):
    (folder / "test-0-0.png").write_bytes((folder / "test-0-1.png").read_bytes())
    with pytest.raises(UserError, match=r"test-0-0\.png: not what it was when its data set was prepared"):
        build(folder)


def test_a_data_set_without_digests_is_taken_as_it_is(folder):
    whole = build(folder)
    (folder / "images.sha256").unlink()
    assert build(folder) == whole


def test_a_damaged_list_of_digests_is_named(folder):
    (folder / "images.sha256").write_text("nonsense")
    with pytest.raises(UserError, match=r"images\.sha256: damaged"):
        build(folder)


@pytest.mark.slow
def test_the_mend_draws_the_same_images(tmp_path):
    manifest = prepare("mini_digits", tmp_path, tmp_path / "raw", seed=1)
    whole, known = build(tmp_path), read_known(tmp_path)
    split = (tmp_path / "split.json").read_text()
    image = tmp_path / next(name for name in known if f'"{name}"' in split.partition('"test"')[2])
    image.write_bytes(b"no image")
    with pytest.raises(UserError) as error:
        build(tmp_path)
    Path(re.search(r"delete (\S+) and run again", str(error.value))[1]).unlink()
    assert prepare("mini_digits", tmp_path, tmp_path / "raw", seed=1) == manifest
    assert build(tmp_path) == whole
