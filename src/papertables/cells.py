"""From an artefact to its cells, and from a cell to the specs of its runs."""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from pydantic import JsonValue

from papertables.attributes.anchors import anchors
from papertables.attributes.searched import SearchSpec
from papertables.backbones.catalog import Backbone, backbone
from papertables.config import Adjustment, Artefact, Axis, Entry, Measure, Paper, PaperMethod, Selection
from papertables.data.catalog import Dataset, dataset
from papertables.errors import UserError, unknown
from papertables.methods import METHODS, Method
from papertables.project import Project
from papertables.spec import Fidelity, ProtocolName, RunSpec, Target, Training
from papertables.validation import parse

PUBLISHED_INPUT = 224  # pixels; the input for which papers state options in pixels
FEW_SHOT = ("few_shot", "base_to_new", "cross_dataset")
SHOWS_SEARCHES = ("anchors", "search_weights", "search")  # facts and drawings
CHOSEN = "chosen"  # attributes: those of the data set, published or searched


@dataclass(frozen=True)
class Value:
    """One position on an axis. ``published`` is the name under which papers print it."""

    key: str
    label: str
    published: str
    settings: dict[str, JsonValue]


@dataclass(frozen=True)
class Member:
    """One (method, backbone, data set, overrides) of a cell with its runs, one per seed (one in all if unseeded).

    scored: what the cell shows of each run, base and new classes for their harmonic mean. search: whose winner its
    prompts take as attributes.
    """

    method: str  # label
    backbone: Backbone
    dataset: str  # label
    runs: tuple[RunSpec, ...]
    scored: tuple[Target, ...] = ()
    search: SearchSpec | None = None


@dataclass(frozen=True)
class Cell:
    """Members: one, or one per value of the pool, over which the cell is the average; none of a method whose published
    numbers alone are shown."""

    row: Value
    column: Value
    members: tuple[Member, ...]
    measure: Measure = "accuracy"


@dataclass(frozen=True)
class PlannedArtefact:
    artefact: Artefact
    paper: Paper
    rows: tuple[Value, ...]
    columns: tuple[Value, ...]
    cells: tuple[Cell, ...]  # row by row
    selection: Selection
    comparable: bool  # whether published numbers may stand beside the cells
    searches: tuple[SearchSpec, ...] = ()  # that it shows

    @property
    def runs(self) -> Iterator[RunSpec]:
        """Every run of the artefact, once, in order."""
        yield from {run.id: run for cell in self.cells for member in cell.members for run in member.runs}.values()


class NotAtScale(UserError):
    """The scale has nothing that could stand in for what the artefact shows."""


def plan_artefact(project: Project, artefact: Artefact) -> PlannedArtefact:
    """Rows × columns × pool. An axis value that the scale leaves out is dropped; NotAtScale where nothing remains."""
    paper = project.paper_of(artefact)
    selection = project.config.selection or artefact.selection or paper.selection
    if artefact.facts:
        shown = _searches(project, paper, artefact)
        return PlannedArtefact(artefact, paper, (), (), (), selection, project.scale.compares, shown)
    rows = _rows(project, paper, artefact)
    columns = _axis(project, paper, artefact, artefact.columns)
    pool = _axis(project, paper, artefact, artefact.pool) if artefact.pool else ({},)
    cells = []
    for row, column in product(rows, columns):
        settings = artefact.fixed | row.settings | column.settings
        pooled = [settings | (value.settings if artefact.pool else {}) for value in pool]
        printed = paper.methods.get(settings.get("method"))
        only_printed = printed is not None and printed.method is None
        members = () if only_printed else tuple(_member(project, paper, artefact, each) for each in pooled)
        cells.append(Cell(row, column, members, settings.get("measure", "accuracy")))
    shown = _searches(project, paper, artefact)
    return PlannedArtefact(artefact, paper, rows, columns, tuple(cells), selection, project.scale.compares, shown)


def entry_value(entry: Entry) -> Value:
    label = entry.label or "-".join(str(part) for part in entry.set.values())
    return Value(label, label, entry.published or label, entry.set)


def _rows(project: Project, paper: Paper, artefact: Artefact) -> tuple[Value, ...]:
    rows = _axis(project, paper, artefact, artefact.rows)
    return rows if artefact.blocks is None else in_blocks(_axis(project, paper, artefact, artefact.blocks), rows)


def in_blocks(blocks: Iterable[Value], rows: Sequence[Value]) -> tuple[Value, ...]:
    """The rows once for every block."""
    return tuple(
        Value(
            f"{block.key}.{row.key}",
            f"{block.label}: {row.label}",
            f"{block.published}: {row.published}",
            block.settings | row.settings,
        )
        for block, row in product(blocks, rows)
    )


def _axis(project: Project, paper: Paper, artefact: Artefact, axis: Axis) -> tuple[Value, ...]:
    values = axis.values
    if values == "all":
        listed = {"dataset": _datasets(project, paper), "method": tuple(paper.methods)}
        if axis.vary not in listed:
            raise UserError(f"{artefact.id}: 'values: all' is known for dataset and method, not for {axis.vary}")
        values = [value for value in listed[axis.vary] if value not in axis.without]
    found = [_value(project, paper, artefact, axis.vary, value) for value in values]
    kept = [value for value in found if value is not None and not _left_out(project, paper, value)]
    if found and not kept:
        listed = ", ".join(map(str, values))
        raise NotAtScale(f"{artefact.id}: scale {project.scale.name} has nothing for any {axis.vary} of {listed}")
    shown = [value.settings | {"backbone": _backbone_of(project, artefact, value)} for value in kept]
    return tuple(value for i, value in enumerate(kept) if shown[i] not in shown[:i])


def _backbone_of(project: Project, artefact: Artefact, value: Value) -> Backbone | None:
    name = value.settings.get("backbone")
    return _stand_in(project, artefact, name) if name else None


def _left_out(project: Project, paper: Paper, value: Value) -> bool:
    """Whether the scale leaves it out: named there, or with nothing but published numbers that would stand for other
    data."""
    method = paper.methods.get(value.settings.get("method"))
    if method is not None and method.method is None and not project.scale.compares:
        return True
    replaced = project.scale.replaced(paper)
    return replaced is not None and any(value.settings.get(key) in values for key, values in replaced.without.items())


def _value(project, paper, artefact, vary: str, value) -> Value | None:
    if isinstance(value, Entry):
        return entry_value(value)
    label = published = str(value)
    if vary in ("dataset", "target"):
        published = dataset(value).label
        replaced = project.scale.replaced(paper)
        value = replaced.dataset_for(value) if replaced else value
        if value is None:
            return None
        label = dataset(value).label
    elif vary == "method":
        label = published = _method(paper, artefact, value).label
    elif vary == "backbone":
        published = backbone(value).label
        stand_in = _stand_in(project, artefact, value)
        if stand_in is None:
            return None
        label = stand_in.label
    return Value(str(value), label, published, {vary: value})


def _datasets(project: Project, paper: Paper) -> tuple[str, ...]:
    replaced = project.scale.replaced(paper)
    return replaced.datasets if replaced else paper.datasets


def _stand_in(project: Project, artefact: Artefact, name: str) -> Backbone | None:
    published = backbone(name)
    replaced = project.scale.replaced(project.paper_of(artefact))
    if replaced is None:
        return published
    if name not in replaced.backbones:
        where = f"workflow/scales/{project.scale.name}.yaml: papers.{artefact.paper}.backbones"
        raise UserError(f"{where}: no entry for '{name}' ({artefact.id})")
    stand_in = replaced.backbones[name]
    return backbone(stand_in) if stand_in else None


def _method(paper: Paper, artefact: Artefact, name: str):
    if name not in paper.methods:
        raise UserError(f"{artefact.id}: {unknown('method', name, paper.methods)}")
    return paper.methods[name]


def _member(project: Project, paper: Paper, artefact: Artefact, settings: dict) -> Member:
    known = {"method", "backbone", "dataset", "target", "protocol"}
    known |= {"shots", "fraction", "attributes", "fidelity", "measure"}
    for key in settings:
        if key not in known and not key.startswith(("options.", "training.", "images.")):
            raise UserError(f"{artefact.id}: {unknown('setting', key, sorted(known))}")
    missing = [key for key in ("method", "backbone", "dataset") if key not in settings]
    if missing:
        raise UserError(f"{artefact.id}: no {missing[0]} given: name it on an axis or under 'fixed'")
    row = _method(paper, artefact, settings["method"])
    if row.method not in METHODS:
        raise UserError(f"{paper.id}: {unknown('method', row.method, METHODS)}")
    method = METHODS[row.method]
    tower = _stand_in(project, artefact, settings["backbone"])
    if tower is None:
        raise NotAtScale(f"{artefact.id}: scale {project.scale.name} has nothing for backbone '{settings['backbone']}'")
    where = f"{artefact.id}: {settings['method']}"
    settings = {"protocol": paper.protocol, **_stood_in(project, paper, artefact, settings)}
    protocol = _trained_as(settings["protocol"])
    adjusting = adjusted(paper.adjust, settings)
    options = method.options | row.options | under("options.", adjusting, only=method.options)
    replaced = project.scale.replaced(paper)
    replacing = adjusted(replaced.adjust, settings) if replaced else {}
    options |= under("options.", replacing, only=method.options) | under("options.", settings)
    for key in options:
        if key not in method.options:
            raise UserError(f"{where}: {unknown('option', key, method.options)}")
    search = None
    if options.get("attributes") == CHOSEN:
        options["attributes"], search = _anchors(project, paper, settings["dataset"], tower.id)
    seeded = method.trains or method.uses_attributes
    spec = {
        "method": row.method,
        "options": _in_pixels(method, options, tower.image_size),
        "backbone": tower.id,
        "dataset": dataset(settings["dataset"]).id,
        "protocol": protocol,
        "image_size": tower.image_size,
        "images": _images(paper, row, tower, adjusting, settings),
        "attributes": _attributes(project, paper, settings) if method.uses_attributes else None,
        "fidelity": _fidelity(project, paper, settings, method, options),
    }
    if method.input_side:
        spec["image_size"] = spec["options"][method.input_side]
    if method.trains:
        if protocol in FEW_SHOT:
            spec["shots"] = settings.get("shots") or project.scale.shots or paper.shots
            _check_shots(where, spec["shots"], dataset(settings["dataset"]))
        spec["fraction"] = _fraction(settings.get("fraction"), replaced.fraction if replaced else None)
        layers = [row.training, under("training.", adjusting)]
        if replaced:
            layers += [replaced.training, under("training.", replacing)]
        training = paper.training.model_dump()
        for layer in (*layers, under("training.", settings)):
            training = merged(training, layer)
        spec["training"] = parse(Training, training, f"{where}: training")
    seeds = _seeds(project, paper) if seeded else (None,)
    runs = tuple(parse(RunSpec, spec | {"seed": seed}, where) for seed in seeds)
    method.check(runs[0])
    scored = _scored(where, runs[0], settings)
    return Member(row.label, tower, dataset(settings["dataset"]).label, runs, scored, search)


def _stood_in(project: Project, paper: Paper, artefact: Artefact, settings: dict) -> dict:
    """With what stands in for data sets that no axis varies."""
    replaced, found = project.scale.replaced(paper), dict(settings)
    for key in ("dataset", "target") if replaced else ():
        if key in settings:
            found[key] = replaced.dataset_for(settings[key])
            if found[key] is None:
                raise NotAtScale(f"{artefact.id}: scale {project.scale.name} has nothing for '{settings[key]}'")
    return found


def _trained_as(protocol: ProtocolName) -> ProtocolName:
    """Cross-dataset transfer and domain generalisation score the same training elsewhere."""
    return "cross_dataset" if protocol == "domain_generalization" else protocol


def _scored(where: str, run: RunSpec, settings: dict) -> tuple[Target, ...]:
    match settings.get("measure", "accuracy"):
        case "accuracy" if settings.get("target", run.dataset) != run.dataset:
            return (Target(dataset(settings["target"]).id, "all"),)
        case "accuracy":
            return (run.target,)
        case "base" | "new" | "harmonic_mean" as measure:
            if run.protocol != "base_to_new":
                raise UserError(f"{where}: measure {measure} needs protocol base_to_new, this is {run.protocol}")
            sets = ("base", "new") if measure == "harmonic_mean" else (measure,)
            return tuple(Target(run.dataset, classes) for classes in sets)
    return ()


def _anchors(project: Project, paper: Paper, data: str, tower: str) -> tuple[list[str] | str, SearchSpec | None]:
    """The attributes of a data set, and the search whose winner takes their place where config.yaml asks for it."""
    if project.config.attributes == "published":
        return list(anchors(data).chosen), None
    return "searched", _search(project, paper, data, tower, _seeds(project, paper)[0])


def _search(project: Project, paper: Paper, data: str, tower: str, seed: int) -> SearchSpec:
    if paper.search is None:
        raise UserError(f"workflow/papers/{paper.id}/protocol.yaml: add 'search', how attributes are searched")
    replaced = project.scale.replaced(paper)
    settings = paper.search.settings(project.config.fidelity) | (replaced.search if replaced else {})
    switches = paper.switches(project.config.fidelity)
    known = {"dataset": data, "backbone": tower, "seed": seed, "bases": anchors(data).bases}
    known |= {"shots": project.scale.shots or paper.shots}
    known |= {key: getattr(switches, key) for key in ("few_shot_draw", "shared_seed", "attribute_tokens")}
    return parse(SearchSpec, settings | known, f"{paper.id}: search")


def _searches(project: Project, paper: Paper, artefact: Artefact) -> tuple[SearchSpec, ...]:
    """Of every data set that a table or figure about searches names, one per seed."""
    if artefact.facts not in SHOWS_SEARCHES and artefact.drawing not in SHOWS_SEARCHES:
        return ()
    named = _axis(project, paper, artefact, artefact.rows) if artefact.rows else ()
    chosen = [value.settings["dataset"] for value in named if "dataset" in value.settings]
    if not chosen and "dataset" in artefact.fixed:
        chosen = [_value(project, paper, artefact, "dataset", artefact.fixed["dataset"]).settings["dataset"]]
    tower = _stand_in(project, artefact, artefact.fixed["backbone"])
    ids = dict.fromkeys(dataset(name).id for name in chosen)
    return tuple(_search(project, paper, name, tower.id, seed) for name in ids for seed in _seeds(project, paper))


def _seeds(project: Project, paper: Paper) -> tuple[int, ...]:
    return project.config.seeds or project.scale.seeds or paper.seeds


def _check_shots(where: str, shots: int | None, data: Dataset) -> None:
    most = data.train // data.classes
    if shots and shots > most:
        raise UserError(
            f"{where}: {shots} shots, but {data.id} has {data.train} training images in {data.classes} classes: "
            f"take at most {most}"
        )


def adjusted(adjustments: Iterable[Adjustment], settings: dict) -> dict:
    """What the adjustments set that apply to a cell, the later ones over the earlier."""
    return {key: value for each in adjustments if each.applies(settings) for key, value in each.set.items()}


def _fraction(*parts: float | None) -> float | None:
    """Of the training images: all parts together, None for the whole."""
    share = prod(part or 1 for part in parts)
    return share if share < 1 else None


def _images(paper: Paper, row: PaperMethod, tower: Backbone, *layers: dict) -> dict:
    """How images become input; the margin is stated for a 224 px input and scales with the backbone's."""
    images = paper.images.model_dump() | row.images
    for layer in layers:
        images |= under("images.", layer)
    return images | {"margin": round(images["margin"] * tower.image_size / PUBLISHED_INPUT)}


def under(prefix: str, settings: dict, only: Container[str] | None = None) -> dict:
    """The settings below a prefix, without it; of these only some if they are named."""
    found = {key.removeprefix(prefix): value for key, value in settings.items() if key.startswith(prefix)}
    return found if only is None else {key: value for key, value in found.items() if key in only}


def merged(settings: dict, changes: dict) -> dict:
    """Nested settings with changes, whose keys may be paths (``optimizer.lr``)."""
    result = dict(settings)
    for path, value in changes.items():
        key, _, rest = path.partition(".") if path.partition(".")[0] in settings else (path, "", "")
        if rest or isinstance(value, dict):
            result[key] = merged(result.get(key) or {}, {rest: value} if rest else value)
        else:
            result[key] = value
    return result


def _in_pixels(method: Method, options: dict, size: int) -> dict:
    return {
        key: round(value * size / PUBLISHED_INPUT) if key in method.pixel_options else value
        for key, value in options.items()
    }


def _attributes(project: Project, paper: Paper, settings: dict) -> str:
    source, replaced = settings.get("attributes") or paper.attributes, project.scale.replaced(paper)
    return replaced.attributes.get(source, source) if replaced else source


def _fidelity(project: Project, paper: Paper, settings: dict, method: Method, options: dict) -> Fidelity:
    """The switches of the paper; those that cannot touch the method take their default, so that runs are shared."""
    switches = paper.switches(settings.get("fidelity") or project.config.fidelity)
    few_shot = method.trains and _trained_as(settings["protocol"]) in FEW_SHOT
    keep = {"few_shot_draw", "shared_seed"} if few_shot else set()
    if method.learns_prompts and options["attributes"]:
        keep |= {"attribute_tokens", "deep_start"} if method.prompts_images else {"attribute_tokens"}
    keep |= {"attribute_stream", "attribute_sampling"} if method.uses_attributes else set()
    keep |= {"few_shot_draw", "shared_seed"} if method.uses_attributes else set()
    if method.first_mapping_pass_matters(options):
        keep |= {"first_mapping_pass"}
    return Fidelity(**switches.model_dump(include=keep))
