"""CoCoOp (CVPR 2022), and with attributes CoCoOp+ATPrompt: every image shifts the context of the class."""

from collections.abc import Sequence

from torch import Tensor

from papertables.backbones.prompts import TextPrompts
from papertables.methods.inputs import MethodInputs
from papertables.methods.learner import BaseLearner
from papertables.methods.pixels import Plain
from papertables.methods.prompt_names import Anchors
from papertables.methods.prompting import MetaNetwork, Prompting, Similarity, by_image


class Learner(BaseLearner):
    """The contexts of attributes are not shifted, as in ATPrompt's released code."""

    reads_images = True
    leaves_images = True

    def __init__(
        self,
        given: MethodInputs,
        /,
        context: int,
        init: str = "",
        attributes: Sequence[str] = (),
        anchors: Anchors = "interval",
        attribute_context: Sequence[int] | None = None,
    ):
        super().__init__()
        self.pixels = Plain(given)
        self.prompting = Prompting(given, context, attributes, anchors, attribute_context, init=init)
        self.shift = MetaNetwork(given)
        self.similarity = Similarity(given)

    def prompts(self, names: tuple[str, ...], features: Tensor) -> TextPrompts:
        """B · C of them, image by image, for features (B, D)."""
        return self.prompting(names, self.shift(features))

    def classify(self, features: Tensor, texts: Tensor, names: tuple[str, ...] = ()) -> Tensor:
        """(B, D) and (B · C, D) to (B, C)."""
        return self.similarity(features, by_image(texts, len(features)))
