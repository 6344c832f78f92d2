"""Crops of original images: their cache, and each bit as torchvision's transform leaves it."""

import json
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import load_file
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from papertables.base.errors import UserError
from papertables.data import cache
from papertables.data.augment import Boxes, augment, draw_boxes, pillow_crops, plain, training_images
from papertables.specs.spec import Images

SIDE = 32
ON_ITS_SIDE = 6  # of the EXIF note: to be turned by 90 degrees
ORIENTATION = 0x0112
IMAGES = {  # file: mode, (height, width)
    "landscape.jpg": ("RGB", (60, 91)),
    "portrait.jpg": ("RGB", (83, 50)),
    "grey.jpg": ("L", (41, 47)),
    "print.jpg": ("CMYK", (45, 70)),
    "turned.jpg": ("RGB", (40, 75)),
    "landscape.png": ("RGB", (64, 100)),
    "palette.png": ("P", (50, 66)),
    "transparent.png": ("RGBA", (70, 44)),
    "smaller.png": ("RGB", (17, 23)),
}
PATHS = list(IMAGES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("originals"), np.random.default_rng(0)
    for path, (mode, shape) in IMAGES.items():
        coarse = rng.integers(0, 256, (shape[0] // 6, shape[1] // 6, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize(shape[::-1], Image.Resampling.BICUBIC).convert(mode)
        note = image.getexif()
        if path == "turned.jpg":
            note[ORIENTATION] = ON_ITS_SIDE
        image.save(folder / path, exif=note)
    items = [[path, number % 2, "ab"[number % 2]] for number, path in enumerate(PATHS)]
    (folder / "split.json").write_text(json.dumps({"train": items, "val": [], "test": items[:2]}))
    return folder


@pytest.fixture(scope="module")
def file(folder):
    cache.build(folder, "train", 0, "original", None, folder / "cache")
    return folder / "cache"


@pytest.fixture
def images(file):
    return cache.read(file)


def boxes_of(images, rows, seed: int = 0) -> Boxes:
    return draw_boxes(torch.from_numpy(images.sizes[rows]), torch.Generator().manual_seed(seed))


def as_dassl(path, box, flip: bool, monkeypatch) -> torch.Tensor:
    """Dassl's transform of a training image, with what it would draw given: (3, SIDE, SIDE)."""
    crop = transforms.RandomResizedCrop(SIDE, scale=(0.08, 1.0), interpolation=InterpolationMode.BICUBIC)
    monkeypatch.setattr(crop, "get_params", lambda *_: box)
    mirror = transforms.RandomHorizontalFlip(p=float(flip))
    with Image.open(path) as image:
        return transforms.Compose([crop, mirror, transforms.ToTensor()])(image.convert("RGB"))


def test_crops_are_torchvisions_bit_by_bit(folder, images, monkeypatch):
    rows, mirrored = np.arange(len(images)), []
    for seed in range(10):
        boxes = boxes_of(images, rows, seed)
        found = plain(pillow_crops(images, rows, boxes, SIDE))
        for path, image, *box, flip in zip(
            PATHS, found, boxes.top, boxes.left, boxes.height, boxes.width, boxes.flip, strict=True
        ):
            box = [value.item() for value in box]
            assert torch.equal(image, as_dassl(folder / path, box, flip.item(), monkeypatch)), (path, box)
        mirrored += boxes.flip.tolist()
    assert any(mirrored) and not all(mirrored)


def test_whole_images_are_resized_as_a_box(folder, images, monkeypatch):
    rows = np.arange(len(images))
    height, width = torch.from_numpy(images.sizes).unbind(1)
    none = torch.zeros_like(height)
    found = plain(pillow_crops(images, rows, Boxes(none, none, height, width, none.bool()), SIDE))
    for path, image, (h, w) in zip(PATHS, found, images.sizes.tolist(), strict=True):
        assert torch.equal(image, as_dassl(folder / path, [0, 0, h, w], False, monkeypatch))


def test_the_cache_holds_the_files_themselves(folder, file, images):
    stored = load_file(file)
    assert set(stored) == {"items", "labels", "sizes", "offsets", "files", "sha256"}
    assert stored["labels"].tolist() == [number % 2 for number in range(len(PATHS))]
    assert stored["sizes"].tolist() == [list(shape) for _, shape in IMAGES.values()]
    parts = np.split(stored["files"], stored["offsets"][1:-1])
    assert [part.tobytes() for part in parts] == [(folder / path).read_bytes() for path in PATHS]
    with safe_open(file, "numpy") as opened:
        assert opened.metadata()["transform"] == "none"
    for row, path in enumerate(PATHS):
        assert np.array_equal(images.image(row), cache.load(folder / path, 0, "original"))


def test_an_image_that_lies_on_its_side_stays_there(images):
    row = PATHS.index("turned.jpg")
    assert Image.open(BytesIO(images.content[images.offsets[row] :])).getexif()[ORIENTATION] == ON_ITS_SIDE
    assert images.image(row).shape == (3, *IMAGES["turned.jpg"][1])


def test_only_what_is_drawn_is_cached(folder, tmp_path):
    cache.build(folder, "train", 0, "original", [(1, 0), (1, 1)], tmp_path / "cache")
    images = cache.read(tmp_path / "cache")
    assert 2 <= len(images) <= 4
    for row, item in enumerate(images.items):
        assert np.array_equal(images.image(row), cache.load(folder / PATHS[item], 0, "original"))
    assert images.rows(images.items[::-1]).tolist() == list(range(len(images)))[::-1]
    with pytest.raises(UserError, match="lacks image 99"):
        images.rows([99])


@pytest.mark.parametrize("damage", [b"", b"no image", None])
def test_an_unreadable_image_is_named_in_one_line(tmp_path, damage):
    path = tmp_path / "broken.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:900] if damage is None else damage)
    items = [["broken.jpg", 0, "a"]]
    (tmp_path / "split.json").write_text(json.dumps({"train": items, "val": [], "test": items}))
    with pytest.raises(
        UserError, match=r"broken\.jpg: cannot be read as an image .* delete .*manifest\.json and run again"
    ) as error:
        cache.build(tmp_path, "train", 0, "original", None, tmp_path / "cache")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_change_nothing(images, threads):
    rows = np.array([4, 0, 8, 2, 2, 6, 1])
    boxes = [cache.Box(1, 2, 15, 14)] * len(rows)
    alone = images.crops(rows, boxes, SIDE)
    assert np.array_equal(alone, images.crops(rows, boxes, SIDE, threads))
    assert np.array_equal(alone[3], alone[4])
    assert not np.array_equal(alone[0], alone[1])


def test_what_stays_in_memory_changes_nothing_and_is_bounded(file):
    limit = 4 * sum(height * width for _, (height, width) in list(IMAGES.values())[:3])
    found = []
    for memory in (cache.Memory(0), cache.Memory(limit), cache.Memory()):
        images = cache.OriginalCache(**{**vars(cache.read(file)), "memory": memory})
        rows = np.arange(len(images))
        found += [pillow_crops(images, rows, boxes_of(images, rows, seed), SIDE) for seed in (0, 1, 0)]
        assert memory.room >= 0
        found.append(len(memory.images))
    first, second, again, _ = found[:4]
    assert torch.equal(first, again) and not torch.equal(first, second)
    assert all(torch.equal(found[place], found[place % 4]) for place in (4, 5, 6, 8, 9, 10))
    assert found[3] == 0 and 3 <= found[7] < len(IMAGES) and found[11] == len(IMAGES)


def test_a_generator_gives_the_same_crops_whatever_came_between(images):
    """As a run among others, which draw from generators of their own, sees them."""
    rows, other = np.array([5, 1, 3]), np.array([3, 8])

    def crops(rows, generator):
        return training_images("resized_crop", images, rows, SIDE, generator, "cpu")

    alone, together, apart = (torch.Generator().manual_seed(seed) for seed in (3, 3, 4))
    for _ in range(3):
        seen = crops(rows, alone)
        crops(other, apart)
        assert seen.dtype == torch.float32 and seen.shape == (3, 3, SIDE, SIDE)
        assert torch.equal(crops(rows, together), seen)


def test_boxes_are_drawn_in_the_image_as_it_is(images, monkeypatch):
    """Ragged: each in its own height and width, which are those of no other image."""
    rows, seen = np.array([0, 1, 8]), []
    monkeypatch.setattr(
        cache.OriginalCache, "crops", lambda self, rows, boxes, size, threads: (
            seen.append(boxes) or np.zeros((len(rows), 3, size, size), np.uint8)
        )
    )  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        training_images("resized_crop", images, rows, SIDE, generator, "cpu")
    for number, row in enumerate(rows):
        height, width = images.sizes[row]
        ends = np.array([(box.top + box.height, box.left + box.width) for box in (boxes[number] for boxes in seen)])
        assert (ends <= (height, width)).all() and (ends.max(0) > (0.9 * height, 0.9 * width)).all()


@pytest.mark.parametrize("settings", [{"augmentation": "crop_flip"}, {"augmentation": "none"}, {"margin": 4}])
def test_originals_are_declared_with_crops_that_take_any_size(settings):
    with pytest.raises(ValueError, match="fit original needs augmentation resized_crop and no margin"):
        Images(fit="original", **settings)


def test_resized_images_are_cropped_as_ever(folder, tmp_path):
    cache.build(folder, "train", SIDE, "short", None, tmp_path / "cache")
    images, rows = cache.read(tmp_path / "cache"), np.array([2, 0])
    first, again = (torch.Generator().manual_seed(1) for _ in range(2))
    found = training_images("resized_crop", images, rows, SIDE, first, "cpu")
    batch, sizes = torch.from_numpy(images.batch(rows)), torch.from_numpy(images.sizes[rows])
    assert torch.equal(found, augment("resized_crop", batch, sizes, SIDE, again))
