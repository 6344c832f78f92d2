"""From an artefact to its cells: rows × columns × pool."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from types import MappingProxyType
from typing import NamedTuple

from pydantic import JsonValue

from papertables.base.errors import UserError
from papertables.data.own import own_datasets
from papertables.methods.table import METHODS
from papertables.planning.axes import Value, axis_of, rows_of
from papertables.planning.declarations import CHOSEN
from papertables.planning.members import is_transfer, member_of, settings_of
from papertables.planning.planned import Cell, PlannedArtefact
from papertables.planning.scope import NotAtScale, Scope
from papertables.planning.searching import searches_of
from papertables.specs.artefact import Artefact


def plan_artefact(
    scope: Scope, artefact: Artefact, planned: Mapping[str, PlannedArtefact] = MappingProxyType({})
) -> PlannedArtefact:
    """Rows × columns × pool. An axis value that the scale leaves out is dropped; NotAtScale where nothing remains.
    planned: by id, the artefacts before it, whose runs it may show."""
    shown = searches_of(scope, artefact)
    if artefact.computed and artefact.columns is None:
        others = tuple(planned[id] for id in artefact.others if id in planned)
        if artefact.others and not others:
            raise NotAtScale(f"{artefact.id}: scale {scope.scale.name} has none of {', '.join(artefact.others)}")
        return PlannedArtefact(artefact, scope, (), (), (), shown, _sentences(scope, artefact), others)
    rows = rows_of(scope, artefact)
    columns = axis_of(scope, artefact, artefact.columns) if artefact.columns else ()
    pool = axis_of(scope, artefact, artefact.pool) if artefact.pool else ()
    cells = []
    for row, column in product(rows, columns):
        settings = artefact.fixed | row.settings | column.settings
        members = tuple(member_of(scope, artefact, each) for each in _trained(scope, artefact, settings, pool))
        if artefact.part == "train" and any(run.shots for member in members for run in member.runs):
            raise UserError(f"{artefact.id}: part is train: shown are runs that train on whole data sets, not on shots")
        cells.append(Cell(row, column, members, settings.get("measure", "accuracy")))
    return PlannedArtefact(artefact, scope, rows, columns, tuple(cells), shown)


class Needed(NamedTuple):
    """A data set that an artefact shows, with the source of the sentences that are read of it, and whether prompts take
    its anchors."""

    dataset: str
    sentences: str | None = None
    anchors: bool = False


def needed(scope: Scope, artefact: Artefact) -> Iterator[Needed]:
    """What an artefact needs of the data sets of its cells, of a table of sentences those that it is about."""
    if artefact.columns is None or artefact.rows is None:
        yield from (Needed(name, source) for source, name in _sentences(scope, artefact).values())
        return
    columns = axis_of(scope, artefact, artefact.columns)
    pool = axis_of(scope, artefact, artefact.pool) if artefact.pool else ()
    for row, column in product(rows_of(scope, artefact), columns):
        for settings in _trained(scope, artefact, artefact.fixed | row.settings | column.settings, pool):
            yield from _needed(scope, settings_of(scope, artefact, settings))


def _needed(scope: Scope, cell: Mapping[str, JsonValue]) -> Iterator[Needed]:
    method, name = METHODS[scope.paper.methods[cell["method"]].method], scope.images_of(cell)
    source = scope.sentences(cell.get("attributes"), name) if method.uses_attributes else None
    prompts = method.learns_prompts and name in own_datasets()  # of others it is known
    options = scope.settings(method.options, cell).of("options") if prompts else {}
    yield Needed(name, source, options.get("attributes") == CHOSEN)
    if is_transfer(cell):
        yield Needed(cell["target"])


def _trained(
    scope: Scope, artefact: Artefact, settings: dict[str, JsonValue], pool: Sequence[Value]
) -> list[dict[str, JsonValue]]:
    """The settings of the members of a cell; none of one without runs."""
    pooled = [settings | value.settings for value in pool] if artefact.pool else [settings]
    printed = scope.paper.methods.get(settings.get("method"))
    if (printed is not None and printed.method is None) or artefact.leaves_empty(settings):
        return []
    return pooled + [each | {"method": each["over"]} for each in pooled if "over" in each]


def _sentences(scope: Scope, artefact: Artefact) -> dict[str, tuple[str, str]]:
    """By row, the source and the data set of the sentences that a table is about; of the same ones the first row."""
    if artefact.rows is None or artefact.rows.vary != "attributes":
        return {}
    found: dict[tuple[str, str], str] = {}
    for row in rows_of(scope, artefact):
        named = row.settings["attributes"]
        name = scope.dataset(row.settings["dataset"])
        place = scope.sentences(named, name), name
        found.setdefault(place, row.label if place[0] == named else f"{row.label} (here {place[0]})")
    return {label: place for place, label in found.items()}
