"""What the options of learned prompts must fulfil, known without torch."""

from collections.abc import Mapping

from pydantic import JsonValue

from papertables.backbones.catalog import Backbone
from papertables.errors import UserError
from papertables.spec import ProtocolName

MOST_ATTRIBUTES = 3
SEARCHED = "searched"  # attributes that are known once a search is done
CHOICES = {
    "class_position": ("end", "middle", "front"),
    "anchors": ("interval", "front", "middle", "end", "separate"),
    "deep": ("keep", "drop_soft", "drop_all"),
    "probe": ("linear", "similarity"),
    "prompt": ("coop", "cocoop"),
}


def check_prompt_options(options: Mapping[str, JsonValue], tower: Backbone, protocol: ProtocolName) -> None:
    """Raises UserError for the first option that cannot work with the backbone or the protocol."""
    for name, choices in CHOICES.items():
        if name in options and options[name] not in choices:
            raise UserError(f"option {name} is '{options[name]}': choose from {', '.join(choices)}")
    for name in ("context", "depth"):
        if name in options and not _counts(options[name]):
            raise UserError(f"option {name} is {options[name]}: it must be a whole number of at least 1")
    weight = options.get("weight", 0)
    if not isinstance(weight, int | float) or not 0 <= weight <= 1:
        raise UserError(f"option weight is {options['weight']}: it must lie between 0 and 1")
    attributes = options["attributes"]
    if attributes != SEARCHED and not _different_words(attributes):
        raise UserError(f"option attributes is {attributes}: it must be a list of different words")
    if attributes != SEARCHED and len(attributes) > MOST_ATTRIBUTES:
        raise UserError(f"option attributes has {len(attributes)} words: take at most {MOST_ATTRIBUTES}")
    counts, needed = options.get("attribute_context"), MOST_ATTRIBUTES if attributes == SEARCHED else len(attributes)
    if counts is not None and not (isinstance(counts, list) and len(counts) >= needed and all(map(_counts, counts))):
        raise UserError(
            f"option attribute_context is {counts}: it must be a list, for each attribute a whole number of at least 1"
        )
    if options.get("class_specific") and attributes:
        raise UserError("option class_specific is true: contexts of single classes take no attributes")
    if options.get("class_specific") and protocol != "few_shot":
        raise UserError(f"option class_specific is true: contexts of single classes know no others ({protocol})")
    if "depth" in options and not tower.is_vit:
        raise UserError("prompts beside image patches need a ViT: take another backbone")


def _counts(value: JsonValue) -> bool:
    """Whether it is a whole number of at least 1."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value == int(value) and value >= 1


def _different_words(value: JsonValue) -> bool:
    words = isinstance(value, list) and all(isinstance(each, str) and each.strip() for each in value)
    return words and len(set(value)) == len(value)
