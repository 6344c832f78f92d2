"""What a method is given beside its options."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Context:
    """image_size: side P of the tower's input. mean, std: of its pixels, per channel. logit_scale:
    logarithm of the scale of cosines, (). Text features are unit vectors: of classes (C, D), of sampled
    descriptive and distinctive sentences (C, m, D); None where the method does not use them."""

    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    logit_scale: Tensor
    classes: Tensor | None = None
    descriptive: Tensor | None = None
    distinctive: Tensor | None = None
