"""What enters the image tower: plain images, images under a watermark, images in a trained frame."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from papertables.backbones.pixels import Normalise
from papertables.methods.inputs import MethodInputs


class Plain(Normalise):
    """Normalised images (B, 3, P, P)."""

    def __init__(self, given: MethodInputs):
        super().__init__(given.mean, given.std)


class Watermark(nn.Module):
    """Normalised images plus a program on a frame of ``pad`` pixels (all of the image where 2·pad = P)."""

    def __init__(self, given: MethodInputs, pad: int):
        super().__init__()
        size = given.image_size
        self.plain = Plain(given)
        self.program = nn.Parameter(torch.zeros(3, size, size))
        self.register_buffer("mask", frame(size, pad, pad), persistent=False)  # (3, P, P)
        self.trained_values = int(self.mask.sum())

    def forward(self, images: Tensor) -> Tensor:
        return self.plain(images) + self.program * self.mask  # (B, 3, P, P)


class Padding(nn.Module):
    """Images of side ``inner`` padded with zeros to P, plus the sigmoid of a program on the frame; then
    normalised.

    Where the difference is odd, the extra pixel is at the left and at the top.
    """

    def __init__(self, given: MethodInputs, inner: int):
        super().__init__()
        size = given.image_size
        self.before, self.after = (size - inner + 1) // 2, (size - inner) // 2
        self.plain = Plain(given)
        self.program = nn.Parameter(torch.zeros(3, size, size))
        self.register_buffer("mask", frame(size, self.before, self.after), persistent=False)  # (3, P, P)
        self.trained_values = int(self.mask.sum())

    def forward(self, images: Tensor) -> Tensor:
        padded = F.pad(images, (self.before, self.after, self.before, self.after))  # (B, 3, P, P)
        return self.plain(padded + self.program.sigmoid() * self.mask)


def frame(size: int, before: int, after: int) -> Tensor:
    """(3, size, size): 1 on a frame of ``before`` pixels left and above, ``after`` right and below."""
    mask = torch.ones(3, size, size)
    mask[:, before : size - after, before : size - after] = 0
    return mask
