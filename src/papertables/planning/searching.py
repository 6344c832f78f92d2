"""Which attributes stand in prompts, and the searches that find them."""

from collections.abc import Mapping

from pydantic import JsonValue

from papertables.attributes.anchors import anchors
from papertables.base.errors import UserError
from papertables.data.catalog import dataset
from papertables.methods.options import SEARCHED
from papertables.planning.axes import axis_of
from papertables.planning.scope import Scope
from papertables.specs.artefact import Artefact
from papertables.specs.config import PUBLISHED
from papertables.specs.spec import SearchSpec
from papertables.specs.validation import parse


def attributes_of(scope: Scope, cell: Mapping[str, JsonValue], tower: str) -> tuple[list[str] | str, SearchSpec | None]:
    """The attributes of a data set, and the search whose winner takes their place where a cell or config.yaml asks for
    it."""
    data = cell["dataset"]
    if cell.get("anchors", scope.config.anchors) == "published":
        return list(anchors(data).chosen), None
    return SEARCHED, _search(scope, data, tower, scope.seeds[0])


def _search(scope: Scope, data: str, tower: str, seed: int) -> SearchSpec:
    paper = scope.paper
    if paper.search is None:
        raise UserError(f"workflow/papers/{paper.id}/protocol.yaml: add 'search', how attributes are searched")
    settings = paper.search.settings(scope.config.fidelity)
    settings |= scope.substitutes.search if scope.substitutes else {}
    if dataset(data).val:
        del settings["validation_images"]
    switches = scope.fidelity(None)
    bases = {"bases": anchors(data).bases} if scope.config.bases == PUBLISHED else {"source": scope.config.bases}
    known = {"dataset": data, "backbone": tower, "seed": seed, "shots": scope.shots} | bases
    known |= {key: getattr(switches, key) for key in ("few_shot_draw", "shared_seed", "attribute_tokens")}
    return parse(SearchSpec, settings | known, f"{paper.id}: search")


def searches_of(scope: Scope, artefact: Artefact) -> tuple[SearchSpec, ...]:
    """One search per seed for every data set that a table or figure about searches names."""
    if not artefact.shows_searches:
        return ()
    named = axis_of(scope, artefact, artefact.rows) if artefact.rows else ()
    chosen = [value.settings["dataset"] for value in named if "dataset" in value.settings]
    if not chosen and "dataset" in artefact.fixed:
        chosen = [scope.dataset(artefact.fixed["dataset"])]
    tower = scope.backbone(artefact.fixed["backbone"])
    ids = dict.fromkeys(dataset(name).id for name in chosen)
    return tuple(_search(scope, name, tower.id, seed) for name in ids for seed in scope.seeds)
