"""What a method is given beside its options."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from papertables.backbones.prompts import Text
from papertables.methods.prompt_names import AttributeTokens


@dataclass(frozen=True)
class MethodInputs:
    """image_size: side P of the tower's input. mean, std: of its pixels, per channel. logit_scale:
    logarithm of the scale of cosines, (). Text features are unit vectors: of classes (C, D), of sampled
    descriptive and distinctive sentences (C, m, D), of the source prompts (S, D); weight (S, D) and bias (S,): of a
    classifier's last layer. None where the method or the backbone has none. class_count: C. seed: of the run, for
    what a learner draws when it is made. tower: the frozen image model, pixels (B, 3, P, P) to features (B, D), for a
    method that adapts it. text, class_names (of the trained classes, as they stand in prompts), embedding_width (the
    number D of features), attribute_tokens and deep_start (see ``Fidelity``): for a method that learns prompts, of text
    or beside images. ensemble: what the frozen text tower says of these classes, the mean over templates (C, D), of any
    length. class_vectors: a teacher's unit text features of the classes (C, T); teacher: its logits (B, C) of
    normalised images (B, 3, P, P)."""

    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    logit_scale: Tensor | None = None
    classes: Tensor | None = None
    descriptive: Tensor | None = None
    distinctive: Tensor | None = None
    prompts: Tensor | None = None
    weight: Tensor | None = None
    bias: Tensor | None = None
    class_count: int = 0
    seed: int = 0
    tower: nn.Module | None = None
    text: Text | None = None
    class_names: tuple[str, ...] = ()
    embedding_width: int = 0
    attribute_tokens: AttributeTokens = "all"
    deep_start: Literal["assumed", "exact"] = "exact"
    ensemble: Tensor | None = None
    class_vectors: Tensor | None = None
    teacher: Callable[[Tensor], Tensor] | None = None
