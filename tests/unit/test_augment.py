import numpy as np
import torch
from PIL import Image

from papertables.data.augment import RATIO, SCALE, Boxes, augment, crop_resize, draw_boxes

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


def test_the_generator_decides():
    batch, sizes = padded(images(SIZES)), torch.tensor(SIZES)
    first, again, other = (augment(batch, sizes, SIDE, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
