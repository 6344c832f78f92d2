"""From features to the logits of target classes, through the labels of the backbone or a new last layer."""

from torch import nn

from papertables.errors import UserError
from papertables.methods.context import Context
from papertables.methods.mapping_heads import LastLayer, LearnedMapping, MappingHead
from papertables.methods.mapping_options import MAPPINGS, TRAINED_OUTPUTS
from papertables.methods.sources import LinearSource, PromptSource


def output(context: Context, mapping: str, laplace: float = 1.0, ratio: float = 0.15) -> nn.Module:
    """The head of a name in ``MAPPINGS`` or ``TRAINED_OUTPUTS``: (B, D) to (B, C).

    laplace: BLM's λ. ratio: of BLM+'s k to the number of classes.
    """
    if mapping in MAPPINGS:
        return MappingHead(source(context), context.class_count, *MAPPINGS[mapping], context.seed, laplace, ratio)
    match mapping:
        case "learned" | "learned_sigmoid":
            mode = "sigmoid" if mapping.endswith("sigmoid") else "plain"
            return LearnedMapping(source(context), context.class_count, mode, context.seed)
        case "last_layer":
            if context.weight is None:
                raise UserError("mapping last_layer: it replaces the last layer of a classifier, a CLIP has none")
            return LastLayer(context.weight.shape[1], context.class_count, context.seed)
    raise UserError(f"unknown mapping '{mapping}': choose from {', '.join((*MAPPINGS, *TRAINED_OUTPUTS))}")


def source(context: Context) -> LinearSource | PromptSource:
    """What the backbone says in labels of its own: a classifier's classes, or a CLIP's source prompts."""
    if context.weight is None:
        return PromptSource(context.logit_scale, context.prompts)
    return LinearSource(context.weight, context.bias)
