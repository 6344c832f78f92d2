"""Whether the cells that claims compare are there."""

from collections.abc import Iterable, Mapping

from papertables.base.errors import UserError, unknown
from papertables.planning.axes import axis_of, rows_of
from papertables.planning.declarations import check_names
from papertables.planning.project import Project
from papertables.specs.artefact import Artefact
from papertables.specs.claims import Cells, Claim


def check_claims(where: str, claims: Mapping[str, Claim], project: Project, unplanned: Iterable[str]) -> None:
    """Raises UserError for an artefact that there is not, or a key that none of its axes has. unplanned: ids of
    artefacts whose own declaration says what is wrong."""
    unplanned = set(unplanned)
    for name, claim in claims.items():
        for cells in claim.holds_if:
            here = f"{where}: claims.{name}"
            check_names(here, "artefact", [cells.artefact], [*project.artefacts, *unplanned])
            artefact = project.artefacts.get(cells.artefact)
            if artefact and artefact.id not in unplanned and not _measures_others(artefact):
                _check_keys(f"{here}: {artefact.id}", cells, project, artefact)


def _measures_others(artefact: Artefact) -> bool:
    """Whether what is compared are no cells of its axes, but what is computed or measured for it."""
    return bool(artefact.computed or artefact.needs.searches or artefact.needs.inspects)


def _check_keys(where: str, cells: Cells, project: Project, artefact: Artefact) -> None:
    scope = project.scope(artefact).published
    rows = [value.key for value in rows_of(scope, artefact)]
    columns = [value.key for value in axis_of(scope, artefact, artefact.columns)]
    first = cells.keys[0]
    if first not in rows and first not in columns:
        raise UserError(f"{where}: {unknown('row or column', first, [*rows, *columns])}")
    own, other = (rows, columns) if first in rows else (columns, rows)
    check_names(where, "row or column", cells.keys, own)
    check_names(f"{where}: at", "row or column", cells.at or (), other)
