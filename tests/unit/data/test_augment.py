import numpy as np
import pytest
import torch
from PIL import Image

from papertables.data import cache
from papertables.data.augment import (
    RATIO,
    SCALE,
    Boxes,
    augment,
    crop_flip,
    crop_resize,
    cut,
    draw_boxes,
    draw_cuts,
    plain,
    training_images,
)
from papertables.data.splits import Item

SIZES = ((40, 71), (64, 40), (31, 31), (100, 48))
SIDE = 24
TOLERANCE = 1.5 / 255  # Pillow's weights are fixed-point numbers


def images(sizes) -> list[np.ndarray]:
    """Noise with black and white blocks, so that overshooting is cut off in both."""
    rng = np.random.default_rng(0)
    made = []
    for height, width in sizes:
        image = rng.integers(0, 256, (3, height, width), dtype=np.uint8)
        image[:, : height // 2, : width // 3] = 0
        image[:, : height // 2, width // 3 : width // 2] = 255
        made.append(image)
    return made


def padded(made: list[np.ndarray]) -> torch.Tensor:
    height, width = max(image.shape[1] for image in made), max(image.shape[2] for image in made)
    batch = torch.zeros(len(made), 3, height, width, dtype=torch.uint8)
    for place, image in zip(batch, made, strict=True):
        place[:, : image.shape[1], : image.shape[2]] = torch.from_numpy(image)
    return batch


def by_pillow(image: np.ndarray, top: int, left: int, height: int, width: int, flip: bool) -> torch.Tensor:
    cut = Image.fromarray(image.transpose(1, 2, 0)).crop((left, top, left + width, top + height))
    cut = cut.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    cut = cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flip else cut
    return torch.from_numpy(np.array(cut)).permute(2, 0, 1) / 255


def test_agrees_with_pillow():
    made = images(SIZES)
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        boxes = draw_boxes(torch.tensor(SIZES), generator)
        found = crop_resize(padded(made), boxes, SIDE)
        columns = (boxes.top, boxes.left, boxes.height, boxes.width, boxes.flip)
        for number, image in enumerate(made):
            expected = by_pillow(image, *(column[number].item() for column in columns))
            assert (found[number] - expected).abs().max() <= TOLERANCE


def test_on_a_cpu_it_is_pillow(tmp_path):
    """Of images that are cached already resized too."""
    items = []
    for number, image in enumerate(images(SIZES)):
        Image.fromarray(image.transpose(1, 2, 0)).save(tmp_path / f"{number}.png")
        items.append(Item(f"{number}.png", 0, "noise"))
    cache.write(tmp_path, items, range(len(items)), 30, "short", tmp_path / "cache")
    cached, rows = cache.read(tmp_path / "cache"), np.array([3, 0, 2, 1, 1])
    for seed in range(10):
        boxes = draw_boxes(torch.from_numpy(cached.sizes[rows]), torch.Generator().manual_seed(seed))
        found = training_images("resized_crop", cached, rows, SIDE, torch.Generator().manual_seed(seed), "cpu")
        columns = (boxes.top, boxes.left, boxes.height, boxes.width, boxes.flip)
        for number, row in enumerate(rows):
            expected = by_pillow(cached.image(row), *(column[number].item() for column in columns))
            assert torch.equal(found[number], expected)


def test_whole_image_of_the_same_side_is_unchanged():
    (image,) = images([(SIDE, SIDE)])
    whole = Boxes(*(torch.tensor([value]) for value in (0, 0, SIDE, SIDE)), flip=torch.tensor([False]))
    found = crop_resize(padded([image]), whole, SIDE)
    assert (found[0] * 255 == torch.from_numpy(image)).all()


def test_boxes_follow_the_rule():
    sizes = torch.tensor([(60, 90)] * 4000)
    boxes = draw_boxes(sizes, torch.Generator().manual_seed(1))
    assert (boxes.top >= 0).all()
    assert (boxes.left >= 0).all()
    assert (boxes.top + boxes.height <= 60).all()
    assert (boxes.left + boxes.width <= 90).all()
    share = boxes.height * boxes.width / (60 * 90)
    assert share.min() > SCALE[0] * 0.9
    assert share.max() <= SCALE[1]
    ratio = boxes.width / boxes.height
    assert ratio.min() > RATIO[0] * 0.9
    assert ratio.max() < RATIO[1] * 1.1
    assert 0.45 < boxes.flip.float().mean() < 0.55


def test_an_image_too_long_for_any_box_gets_the_central_one():
    boxes = draw_boxes(torch.tensor([(10, 4000), (4000, 10)]), torch.Generator().manual_seed(0))
    assert boxes.height.tolist() == [10, 13]
    assert boxes.width.tolist() == [13, 10]
    assert boxes.left[0] == (4000 - 13) // 2


@pytest.mark.parametrize("kind", ["resized_crop", "crop_flip"])
def test_the_generator_decides(kind):
    batch, sizes = padded(images(SIZES)), torch.tensor(SIZES)
    first, again, other = (augment(kind, batch, sizes, SIDE, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert first.shape == (len(SIZES), 3, SIDE, SIDE)
    assert first.dtype == torch.float32
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_none_draws_nothing():
    batch, generator = padded(images([(SIDE, SIDE)] * 2)), torch.Generator().manual_seed(0)
    before = generator.get_state()
    found = augment("none", batch, torch.tensor([(SIDE, SIDE)] * 2), SIDE, generator)
    assert torch.equal(found, batch.float() / 255)
    assert torch.equal(generator.get_state(), before)


def test_cuts_are_slices():
    batch = padded(images([(40, 33)] * 64))
    boxes = draw_cuts(batch.shape, SIDE, torch.Generator().manual_seed(0))
    assert boxes.flip.any() and not boxes.flip.all()
    found = cut(batch, boxes, SIDE)
    assert found.dtype == torch.uint8
    for number, image in enumerate(batch):
        top, left = boxes.top[number].item(), boxes.left[number].item()
        expected = image[:, top : top + SIDE, left : left + SIDE]
        assert torch.equal(found[number], expected.flip(2) if boxes.flip[number] else expected)
    again = crop_flip(batch, SIDE, torch.Generator().manual_seed(0))
    assert torch.equal(again, plain(found))


def test_every_cut_is_equally_likely():
    count, places = 12_000, (5, 3)  # rows and columns where a crop can start
    shape = (count, 3, SIDE + places[0] - 1, SIDE + places[1] - 1)
    boxes = draw_cuts(shape, SIDE, torch.Generator().manual_seed(0))
    place = (boxes.top * places[1] + boxes.left) * 2 + boxes.flip
    found = place.bincount(minlength=30).double()
    expected = count / 30
    assert len(found) == 30
    assert ((found - expected) ** 2 / expected).sum() < 58.3  # chi-squared, 29 degrees of freedom, p = 0.001


def test_a_crop_of_the_same_side_only_mirrors():
    batch = padded(images([(SIDE, SIDE)] * 16))
    found = crop_flip(batch, SIDE, torch.Generator().manual_seed(0)) * 255
    mirrored = [not torch.equal(image, original.float()) for image, original in zip(found, batch, strict=True)]
    assert any(mirrored) and not all(mirrored)
    for image, original, flip in zip(found.round().byte(), batch, mirrored, strict=True):
        assert torch.equal(image, original.flip(2) if flip else original)


def test_a_crop_larger_than_the_image_is_refused():
    with pytest.raises(ValueError, match="no crop of side 24 fits into 23 x 40"):
        crop_flip(torch.zeros(2, 3, 23, 40, dtype=torch.uint8), SIDE, torch.Generator())
