"""Random augmentation of a batch on its device.

``resized_crop``: RandomResizedCrop and horizontal flip (bicubic, antialiased). Where training runs on a CPU, and always
of originals (prompt learning), by Pillow itself; of resized images (AttrVR) on a GPU by two batched matrix products
with weights per image, each rounded to whole grey values as in Pillow. ``crop_flip``: RandomCrop and horizontal flip
(BLM's watermark, SMM). ``none``: the image as it is.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from papertables.base.device import moved
from papertables.data.cache import Box, OriginalCache
from papertables.data.feed import Images, on_device

Augmentation = Literal["resized_crop", "crop_flip", "none"]
SCALE = (0.08, 1.0)  # share of the area, torchvision's defaults
RATIO = (3 / 4, 4 / 3)  # width by height
ATTEMPTS = 10
SUPPORT, SHARPNESS = 2.0, -0.5  # of Pillow's bicubic kernel


@dataclass(frozen=True)
class Boxes:
    """What is cut from each image, in pixels, and whether it is mirrored; all (B,), on the CPU."""

    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor
    flip: Tensor


def training_images(
    kind: Augmentation,
    images: Images,
    rows: np.ndarray,
    size: int,
    generator: torch.Generator,
    device: torch.device | str,
) -> Tensor:
    """These rows of a cache, augmented by ``kind``: (B, 3, size, size) floats in [0, 1] on the device."""
    device, sizes = torch.device(device), torch.from_numpy(images.sizes[rows])
    if kind == "resized_crop" and (device.type == "cpu" or isinstance(images, OriginalCache)):
        return plain(moved(pillow_crops(images, rows, draw_boxes(sizes, generator), size), device))
    return augment(kind, on_device(images, rows, device), sizes, size, generator)


def pillow_crops(images: Images, rows: np.ndarray, boxes: Boxes, size: int) -> Tensor:
    """Cuts, resizes and mirrors, each bit as torchvision does it: (B, 3, size, size) uint8, on the CPU."""
    columns = (boxes.top, boxes.left, boxes.height, boxes.width)
    places = [Box(*place) for place in zip(*(column.tolist() for column in columns), strict=True)]
    crops = torch.from_numpy(images.crops(rows, places, size, torch.get_num_threads()))
    crops[boxes.flip] = crops[boxes.flip].flip(3)
    return crops


def augment(kind: Augmentation, images: Tensor, sizes: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Images of side ``size``, augmented by ``kind``.

    images: (B, 3, H, W) uint8, each in the upper left corner of its place. sizes: (B, 2) heights and widths,
    which only ``resized_crop`` takes into account: the others want images that fill their places, and
    ``none`` wants them of side ``size``. Draws come from ``generator``, on the CPU, whatever the device.
    Returns (B, 3, size, size) floats in [0, 1].
    """
    if kind == "resized_crop":
        return crop_resize(images, draw_boxes(sizes, generator), size)
    if kind == "crop_flip":
        return crop_flip(images, size, generator)
    return plain(images)


def plain(images: Tensor) -> Tensor:
    """Bytes to floats in [0, 1]."""
    return images / 255


def crop_flip(images: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """RandomCrop(size), every place equally likely, and RandomHorizontalFlip(0.5), per image.

    images: (B, 3, H, W) uint8. Returns (B, 3, size, size) floats in [0, 1]. ValueError where H or W is less
    than ``size``.
    """
    return plain(cut(images, draw_cuts(images.shape, size, generator), size))


def draw_cuts(shape: tuple[int, int, int, int], size: int, generator: torch.Generator) -> Boxes:
    """Boxes of side ``size`` anywhere in images of the ``shape`` (B, 3, H, W), mirrored in half of the cases."""
    count, _, height, width = shape
    if min(height, width) < size:
        raise ValueError(f"no crop of side {size} fits into {height} x {width} pixels")
    y, x, flip = torch.rand(count, 3, generator=generator, dtype=torch.float64).unbind(1)
    top, left = (y * (height - size + 1)).long(), (x * (width - size + 1)).long()
    side = torch.full((count,), size)
    return Boxes(top, left, side, side, flip < 0.5)


def cut(images: Tensor, boxes: Boxes, size: int) -> Tensor:
    """Boxes of side ``size`` as they are, mirrored where asked: (B, 3, H, W) to (B, 3, size, size)."""
    top, left, flip = (moved(value, images.device) for value in (boxes.top, boxes.left, boxes.flip))
    windows = images.unfold(2, size, 1).unfold(3, size, 1)  # (B, 3, rows, columns, size, size), a view
    chosen = windows[torch.arange(len(images), device=images.device), :, top, left]  # (B, 3, size, size)
    return torch.where(flip.view(-1, 1, 1, 1), chosen.flip(3), chosen)


def draw_boxes(sizes: Tensor, generator: torch.Generator) -> Boxes:
    """Boxes by torchvision's rule: area and logarithm of the ratio uniform, up to ten attempts to fit,
    else the largest central box within the ratios; mirrored in half of the cases. sizes: (B, 2) heights
    and widths."""
    count = len(sizes)
    height, width = sizes.double().unbind(1)
    u = torch.rand(count, 2 * ATTEMPTS + 3, generator=generator, dtype=torch.float64)
    area = (height * width).unsqueeze(1) * (SCALE[0] + (SCALE[1] - SCALE[0]) * u[:, :ATTEMPTS])  # (B, attempts)
    low, high = (math.log(ratio) for ratio in RATIO)
    ratio = (low + (high - low) * u[:, ATTEMPTS : 2 * ATTEMPTS]).exp()
    w, h = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
    fits = (w > 0) & (w <= width.unsqueeze(1)) & (h > 0) & (h <= height.unsqueeze(1))
    first = fits.int().argmax(1, keepdim=True)
    fallback_w = torch.minimum(width, (height * RATIO[1]).round())
    fallback_h = torch.minimum(height, (width / RATIO[0]).round())
    some = fits.any(1)
    w = torch.where(some, w.gather(1, first).squeeze(1), fallback_w)
    h = torch.where(some, h.gather(1, first).squeeze(1), fallback_h)
    place_y, place_x, flip = u[:, 2 * ATTEMPTS :].unbind(1)
    top = torch.where(some, place_y * (height - h + 1), (height - h) / 2).floor()
    left = torch.where(some, place_x * (width - w + 1), (width - w) / 2).floor()
    return Boxes(top.long(), left.long(), h.long(), w.long(), flip < 0.5)


def crop_resize(images: Tensor, boxes: Boxes, size: int) -> Tensor:
    """Cuts, resizes and mirrors: (B, 3, H, W) uint8 to (B, 3, size, size) floats in [0, 1]."""
    device = images.device
    top, left, height, width, flip = (
        moved(value, device) for value in (boxes.top, boxes.left, boxes.height, boxes.width, boxes.flip)
    )
    columns = resampling(left, width, images.shape[3], size)  # (B, size, W)
    columns = torch.where(flip.view(-1, 1, 1), columns.flip(1), columns).mT.unsqueeze(1)  # (B, 1, W, size)
    rows = resampling(top, height, images.shape[2], size).unsqueeze(1)  # (B, 1, size, H)
    # Pillow 13 resizes the height first where that shrinks much more than the width
    high = (boxes.height > size) & (boxes.height - size > 2 * (boxes.width - size))
    out = torch.empty(len(images), 3, size, size, device=device)
    for chosen, height_first in ((~high, False), (high, True)):
        at = moved(chosen.nonzero().squeeze(1), device)
        values = images[at].float()  # (b, 3, H, W)
        if height_first:
            out[at] = grey(grey(rows[at] @ values) @ columns[at])
        else:
            out[at] = grey(rows[at] @ grey(values @ columns[at]))
    return out / 255


def grey(values: Tensor) -> Tensor:
    """Whole grey values, as bytes would hold them."""
    return values.round().clamp(0, 255)


def resampling(start: Tensor, length: Tensor, total: int, size: int) -> Tensor:
    """Weights (B, size, total) that resample ``length`` pixels from ``start`` on to ``size`` pixels, as in
    Pillow: a bicubic kernel as wide as the larger of the two steps, cut at the box, of sum 1."""
    length, real = length.double().view(-1, 1, 1), {"dtype": torch.float64, "device": length.device}
    step = length / size
    stretch = step.clamp(min=1)
    centre = (torch.arange(size, **real).view(1, -1, 1) + 0.5) * step  # (B, size, 1)
    first = (centre - SUPPORT * stretch + 0.5).floor().clamp(min=0)
    last = torch.minimum((centre + SUPPORT * stretch + 0.5).floor(), length)
    position = torch.arange(total, **real).view(1, 1, -1) - start.view(-1, 1, 1)  # (B, 1, total)
    weights = cubic((position - centre + 0.5) / stretch) * ((position >= first) & (position < last))
    return (weights / weights.sum(2, keepdim=True)).float()


def cubic(x: Tensor) -> Tensor:
    """Keys' kernel with a = -0.5."""
    a, x = SHARPNESS, x.abs()
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    return torch.where(x < 1, near, torch.where(x < SUPPORT, far, torch.zeros_like(x)))
