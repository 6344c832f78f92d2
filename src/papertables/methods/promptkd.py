"""PromptKD (CVPR 2024): a teacher's class vectors and soft labels teach prompts of the image tower, without labels."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from papertables.backbones.prompts import ImagePrompts
from papertables.methods.image_tokens import ImageTokens
from papertables.methods.inputs import MethodInputs
from papertables.methods.learner import BaseLearner
from papertables.methods.pixels import Plain
from papertables.methods.prompting import Similarity
from papertables.methods.seeding import seeded


class Learner(BaseLearner):
    """Tokens beside patches as PromptSRC's, and a projector from the features of the student's image tower, of any
    length, to the width of the teacher's class vectors. It has no text side.

    weight: of the divergence from the teacher, at this temperature (its equation 4).
    """

    def __init__(self, given: MethodInputs, /, image_context: int, image_depth: int, weight: float, temperature: float):
        super().__init__()
        self.pixels, self.similarity = Plain(given), Similarity(given)
        self.weight, self.temperature, self.teacher = weight, temperature, given.teacher
        self.rows = {name: row for row, name in enumerate(given.class_names)}
        self.register_buffer("class_vectors", given.class_vectors, persistent=False)
        self._vectors: dict[tuple, Tensor] = {}
        text, width = given.text, given.class_vectors.shape[1]
        with seeded(given.seed):
            self.image_tokens = ImageTokens(image_context, text.image_width, image_depth, text.image_blocks)
            self.projector = nn.Sequential(
                nn.Linear(given.embedding_width, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, width)
            )

    def image_prompts(self, count: int) -> ImagePrompts:
        """The same for each of ``count`` images."""
        return self.image_tokens(count)

    def classify(self, features: Tensor, texts: Tensor | None = None, names: tuple[str, ...] = ()) -> Tensor:
        """(B, D) to (B, C)."""
        return self.similarity(self.projector(features), self.vectors(names))

    def vectors(self, names: tuple[str, ...]) -> Tensor:
        """The class vectors of these names, (C, W), remembered; equal names have equal vectors."""
        device = self.class_vectors.device
        if (names, device) not in self._vectors:
            with torch.inference_mode(False):  # a later step may need them for gradients
                self._vectors[names, device] = self.class_vectors[[self.rows[name] for name in names]]
        return self._vectors[names, device]

    def guide(self, pixels: Tensor, encode_image: Callable[[Tensor], Tensor]) -> Tensor:
        """The teacher's logits (B, C) of the same images."""
        return self.teacher(pixels)

    def loss(
        self, features: Tensor, texts: None, names: tuple[str, ...], labels: Tensor, guide: Tensor
    ) -> tuple[Tensor, Tensor]:
        """() and the logits (B, C): the divergence from the teacher, its mean over images and classes. No label enters
        it."""
        logits = self.classify(features, texts, names)
        taught, told = ((each / self.temperature).log_softmax(-1) for each in (logits, guide))
        divergence = F.kl_div(taught, told, reduction="none", log_target=True).mean()
        return self.weight * self.temperature**2 * divergence, logits
