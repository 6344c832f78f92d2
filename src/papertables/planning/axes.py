"""From an axis of an artefact to its values: what the scale leaves out is dropped, what stands in takes its place."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from pydantic import JsonValue

from papertables.backbones.catalog import Backbone, backbone
from papertables.data.catalog import dataset
from papertables.planning.scope import NotAtScale, Scope
from papertables.specs.artefact import Artefact, Axis, AxisValue, Entry
from papertables.specs.config import PUBLISHED

COLUMNS_APART = {"method", "backbone", "dataset", "target", "protocol", "shots", "measure"}  # of published numbers


@dataclass(frozen=True)
class Value:
    """One position on an axis. key: what its file calls it, at every scale. ``published`` is the name under which
    papers print it. block: of a row that is repeated, the name of the block, with which its label begins; own: the
    published name without it, where published files have a column of their own for what the block is."""

    key: str
    label: str
    published: str
    settings: dict[str, JsonValue]
    block: str = ""
    own: str = ""


def entry_value(entry: Entry) -> Value:
    """Without a label it goes by what it sets."""
    label = entry.label or "-".join(str(part) for part in entry.set.values())
    return Value(label, label, entry.published or label, entry.set)


def rows_of(scope: Scope, artefact: Artefact) -> tuple[Value, ...]:
    """The rows, in blocks where the artefact repeats them."""
    rows = axis_of(scope, artefact, artefact.rows)
    return rows if artefact.blocks is None else in_blocks(axis_of(scope, artefact, artefact.blocks), rows)


def in_blocks(blocks: Iterable[Value], rows: Sequence[Value]) -> tuple[Value, ...]:
    """The rows once for every block."""
    return tuple(
        Value(
            f"{block.key}.{row.key}",
            f"{block.label}: {row.label}",
            f"{block.published}: {row.published}",
            block.settings | row.settings,
            block.label,
            row.published if block.settings.keys() <= COLUMNS_APART else "",
        )
        for block, row in product(blocks, rows)
    )


def axis_of(scope: Scope, artefact: Artefact, axis: Axis) -> tuple[Value, ...]:
    """The values of an axis that the scope does not leave out; of several with the same settings the first."""
    values = axis.values
    if values == "all":
        listed = scope.datasets if axis.vary == "dataset" else tuple(scope.paper.methods)
        values = [value for value in listed if value not in axis.without]
    if axis.vary == "attributes":
        values = _with_configured(scope, values)
    found = [_value(scope, axis.vary, value) for value in values]
    kept = [value for value in found if value is not None and not scope.leaves_out(value.settings)]
    if found and not kept:
        listed = ", ".join(map(str, values))
        raise NotAtScale(f"{artefact.id}: scale {scope.scale.name} has nothing for any {axis.vary} of {listed}")
    shown = [value.settings | {"backbone": _backbone_of(scope, value)} for value in kept]
    return tuple(value for i, value in enumerate(kept) if shown[i] not in shown[:i])


def _with_configured(scope: Scope, values: Sequence[AxisValue]) -> Sequence[AxisValue]:
    """Sources of sentences with that of the configuration, where it is none of them."""
    named = [value.set.get("attributes") if isinstance(value, Entry) else value for value in values]
    own = scope.config.sentences
    return values if own == PUBLISHED or own in named else [*values, own]


def _backbone_of(scope: Scope, value: Value) -> Backbone | None:
    name = value.settings.get("backbone")
    return scope.backbone(name) if name else None


def _value(scope: Scope, vary: str, value) -> Value | None:
    """None where the scale has nothing for it."""
    if isinstance(value, Entry):
        return entry_value(value)
    key = label = published = str(value)
    if vary in ("dataset", "target"):
        published = dataset(value).label
        value = scope.dataset(value)
        if value is None:
            return None
        label = dataset(value).label
    elif vary == "method":
        label = published = scope.paper.methods[value].label
    elif vary == "backbone":
        published = backbone(value).label
        substitute = scope.backbone(value)
        if substitute is None:
            return None
        label = substitute.label
    return Value(key, label, published, {vary: value})
