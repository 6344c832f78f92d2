"""From features to the logits of target classes, through the labels of the backbone or a new last layer."""

from torch import nn

from papertables.base.errors import UserError
from papertables.methods.inputs import MethodInputs
from papertables.methods.mapping_heads import LastLayer, LearnedMapping, MappingHead
from papertables.methods.mapping_names import MAPPINGS, TRAINED_OUTPUTS
from papertables.methods.sources import LinearSource, PromptSource


def output(given: MethodInputs, mapping: str, laplace: float = 1.0, ratio: float = 0.15) -> nn.Module:
    """The head of a name in ``MAPPINGS`` or ``TRAINED_OUTPUTS``: (B, D) to (B, C).

    laplace: BLM's λ. ratio: of BLM+'s k to the number of classes.
    """
    if mapping in MAPPINGS:
        return MappingHead(source(given), given.class_count, *MAPPINGS[mapping], given.seed, laplace, ratio)
    match mapping:
        case "learned" | "learned_sigmoid":
            mode = "sigmoid" if mapping.endswith("sigmoid") else "plain"
            return LearnedMapping(source(given), given.class_count, mode, given.seed)
        case "last_layer":
            if given.weight is None:
                raise UserError("mapping last_layer: it replaces the last layer of a classifier, a CLIP has none")
            return LastLayer(given.weight.shape[1], given.class_count, given.seed)
    raise UserError(f"unknown mapping '{mapping}': choose from {', '.join((*MAPPINGS, *TRAINED_OUTPUTS))}")


def source(given: MethodInputs) -> LinearSource | PromptSource:
    """What the backbone says in labels of its own: a classifier's classes, or a CLIP's source prompts."""
    if given.weight is None:
        return PromptSource(given.logit_scale, given.prompts)
    return LinearSource(given.weight, given.bias)
