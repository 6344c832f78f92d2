"""The attributes that anchor prompts, by data set: the bases a language model gave, and those that were chosen."""

from functools import cache
from pathlib import Path

from papertables.base.errors import UserError
from papertables.data.own import own_datasets
from papertables.specs.spec import Model
from papertables.specs.validation import entries


class AnchorSet(Model):
    """bases: what is searched. chosen: what ATPrompt published; of a mini set what stands in. actual: of a mini set,
    the attributes that tell its classes apart; empty where this is not known."""

    bases: tuple[str, ...]
    chosen: tuple[str, ...]
    actual: tuple[str, ...] = ()


@cache
def anchor_sets() -> dict[str, AnchorSet]:
    return entries(AnchorSet, Path(__file__).parent / "anchors.yaml")


def anchors(dataset: str) -> AnchorSet:
    """The entry of a data set, or a UserError that says where to add one."""
    known, own = anchor_sets(), own_datasets().get(dataset)
    if own and own.anchors:
        return AnchorSet(bases=own.anchors, chosen=own.anchors)
    if own:
        raise UserError(f"{own.id}: it has no attributes for prompts: add 'anchors' to {own.file}")
    if dataset not in known:
        raise UserError(
            f"no attributes are known for '{dataset}': add it to src/papertables/attributes/anchors.yaml, or set "
            f"options.attributes; known are {', '.join(known)}"
        )
    return known[dataset]
