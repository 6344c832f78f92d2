"""CoOp (IJCV 2022), and with attributes ATPrompt's CoOp+ATPrompt: a learned context before the class name."""

from collections.abc import Sequence

from torch import Tensor

from papertables.backbones.prompts import TextPrompts
from papertables.methods.inputs import MethodInputs
from papertables.methods.learner import BaseLearner
from papertables.methods.pixels import Plain
from papertables.methods.prompt_names import Anchors, ClassPosition
from papertables.methods.prompting import Prompting, Similarity


class Learner(BaseLearner):
    leaves_images = True

    def __init__(
        self,
        given: MethodInputs,
        /,
        context: int,
        class_specific: bool = False,
        class_position: ClassPosition = "end",
        init: str = "",
        attributes: Sequence[str] = (),
        anchors: Anchors = "interval",
        attribute_context: Sequence[int] | None = None,
    ):
        super().__init__()
        self.pixels = Plain(given)
        anchored = (attributes, anchors, attribute_context, class_position)
        self.prompting = Prompting(given, context, *anchored, init, class_specific=class_specific)
        self.similarity = Similarity(given)

    def prompts(self, names: tuple[str, ...], features: Tensor | None = None) -> TextPrompts:
        """Prompts of C classes."""
        return self.prompting(names)

    def classify(self, features: Tensor, texts: Tensor, names: tuple[str, ...] = ()) -> Tensor:
        """(B, D) and (C, D) to (B, C)."""
        return self.similarity(features, texts)
