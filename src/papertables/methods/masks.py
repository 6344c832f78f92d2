"""SMM: a program weighted, per image, by a mask that a small trained network makes from the image."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from papertables.methods.inputs import MethodInputs
from papertables.methods.pixels import Plain
from papertables.methods.seeding import seeded


class MaskNetwork(nn.Module):
    """f_mask: ``layers`` 3×3 convolutions, all but the last with batch norm and ReLU, the first of ``width``
    maps and each next of twice as many (SMM, section 3.2).

    The first log2(patch) layers end in a 2×2 max pooling, so that each mask value stands for a patch.
    channels: 3, or 1 for the mean of the last ReLU's maps instead of the last convolution. With width w, 3
    channels and 5 layers it has 378 w² + 288 w + 3 parameters, which for w = 4, 8, 16, … are the sizes of
    table 11 (small, medium, large, …).
    """

    def __init__(self, layers: int, patch: int, channels: int = 3, width: int = 8):
        super().__init__()
        maps = [3, *(width << layer for layer in range(layers - 1))]
        poolings = patch.bit_length() - 1
        self.blocks = nn.Sequential()
        for layer, (before, after) in enumerate(pairwise(maps)):
            block = nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(inplace=True))
            if layer < poolings:
                block.append(nn.MaxPool2d(2))
            self.blocks.append(block)
        self.last = nn.Conv2d(maps[-1], 3, 3, padding=1) if channels == 3 else None

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, P, P) to masks (B, channels, P / patch, P / patch), unbounded."""
        maps = self.blocks(images)
        return maps.mean(1, keepdim=True) if self.last is None else self.last(maps)


class Masked(nn.Module):
    """Normalised images x plus δ ⊙ f_mask(x), each mask value over a patch × patch block (SMM, section 3.1)."""

    def __init__(self, given: MethodInputs, layers: int, patch: int, channels: int, width: int, seed: int):
        super().__init__()
        size = given.image_size
        self.plain, self.patch = Plain(given), patch
        self.network = network(layers, patch, channels, width, seed)
        self.program = nn.Parameter(torch.zeros(3, size, size))  # δ

    def forward(self, images: Tensor) -> Tensor:
        plain = self.plain(images)  # (B, 3, P, P)
        return add_masked(plain, self.program, self.network(plain), self.patch)

    def mask(self, images: Tensor) -> Tensor:
        """The masks (B, channels, P, P) of images in [0, 1]."""
        return upscale(self.network(self.plain(images)), self.patch, images.shape[-1])


class OnlyMask(nn.Module):
    """Normalised images x plus f_mask(x): SMM without δ (its table 3)."""

    def __init__(self, given: MethodInputs, layers: int, patch: int, channels: int, width: int, seed: int):
        super().__init__()
        self.plain, self.patch = Plain(given), patch
        self.network = network(layers, patch, channels, width, seed)

    def forward(self, images: Tensor) -> Tensor:
        plain = self.plain(images)  # (B, 3, P, P)
        return plain + upscale(self.network(plain), self.patch, plain.shape[-1])


def network(layers: int, patch: int, channels: int, width: int, seed: int) -> MaskNetwork:
    """A mask network with torch's initial weights, drawn from ``seed``."""
    with seeded(seed):
        return MaskNetwork(layers, patch, channels, width)


def upscale(mask: Tensor, patch: int, size: int | None = None) -> Tensor:
    """Every value over a block: (B, c, h, w) to (B, c, h · patch, w · patch), or a given ``size``: what is
    not covered mirrors the closest blocks (SMM, section 3.3)."""
    blocks = mask.repeat_interleave(patch, 3).repeat_interleave(patch, 2)
    for side in (2, 3):
        left = (size or blocks.shape[side]) - blocks.shape[side]
        if left:
            blocks = torch.cat([blocks, blocks.narrow(side, -left, left).flip(side)], side)
    return blocks


def add_masked(images: Tensor, program: Tensor, mask: Tensor, patch: int) -> Tensor:
    """images + program ⊙ upscale(mask), without making the upscaled mask.

    images: (B, 3, P, P), program: (3, P, P), mask: (B, 1 or 3, P / patch, P / patch). Where P / patch is not whole, it
    is made.
    """
    if images.shape[-1] % patch:
        return torch.addcmul(images, program, upscale(mask, patch, images.shape[-1]))
    rows = mask.repeat_interleave(patch, 3).unsqueeze(3)  # (B, c, P / patch, 1, P), each for ``patch`` rows
    blocks = (-1, patch)
    return torch.addcmul(images.unflatten(2, blocks), program.unflatten(1, blocks), rows).flatten(2, 3)
