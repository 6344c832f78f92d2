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
        if name in options and (options[name] != int(options[name]) or options[name] < 1):
            raise UserError(f"option {name} is {options[name]}: it must be a whole number of at least 1")
    if not 0 <= options.get("weight", 0) <= 1:
        raise UserError(f"option weight is {options['weight']}: it must lie between 0 and 1")
    attributes = options["attributes"]
    if attributes != SEARCHED and (not isinstance(attributes, list) or len(set(attributes)) < len(attributes)):
        raise UserError(f"option attributes is {attributes}: it must be a list of different words")
    if attributes != SEARCHED and len(attributes) > MOST_ATTRIBUTES:
        raise UserError(f"option attributes has {len(attributes)} words: take at most {MOST_ATTRIBUTES}")
    if options.get("class_specific") and attributes:
        raise UserError("option class_specific is true: contexts of single classes take no attributes")
    if options.get("class_specific") and protocol != "few_shot":
        raise UserError(f"option class_specific is true: contexts of single classes know no others ({protocol})")
    if "depth" in options and not tower.is_vit:
        raise UserError("prompts beside image patches need a ViT: take another backbone")
