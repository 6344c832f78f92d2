"""From an artefact to its cells, and from a cell to the specs of its runs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, product
from math import prod
from types import MappingProxyType
from typing import NamedTuple

from pydantic import JsonValue

from papertables.attributes.anchors import anchors
from papertables.backbones.catalog import Backbone, backbone
from papertables.base.errors import UserError, unknown
from papertables.data.catalog import Dataset, dataset
from papertables.data.own import OwnDataset, own_datasets
from papertables.methods.options import PUBLISHED_INPUT, SEARCHED
from papertables.methods.table import METHODS, Method
from papertables.planning.declarations import CHOSEN, TRANSFER_ATTRIBUTES
from papertables.planning.scope import NotAtScale, Scope
from papertables.planning.settings import Settings
from papertables.specs.config import PUBLISHED, Artefact, Axis, AxisValue, Entry, Measure, Paper, Selection
from papertables.specs.spec import FEW_SHOT, Combination, Fidelity, ProtocolName, RunSpec, SearchSpec, Target, Training
from papertables.specs.validation import parse

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


@dataclass(frozen=True)
class Member:
    """One (method, backbone, data set, overrides) of a cell with its runs, one per seed (one in all if unseeded).

    scored: what the cell shows of each run, base and new classes for their harmonic mean. choices: of the paper that
    touch it, as they are made. search: whose winner its prompts take as attributes. settings: what its runs' specs were
    made from; declared: the same as the paper has it. teacher: of students, with the one run that all of them learn
    from.
    """

    method: str  # label
    backbone: Backbone
    dataset: str  # label
    runs: tuple[RunSpec, ...]
    settings: Settings
    declared: Settings
    scored: tuple[Target, ...] = ()
    choices: Mapping[str, str] = field(default_factory=dict)
    search: SearchSpec | None = None
    teacher: "Member | None" = None


@dataclass(frozen=True)
class Cell:
    """Members: one, or one per value of the pool, over which the cell is the average; none of a method whose published
    numbers alone are shown. Of a gain those of the method, then those of the one that it is over."""

    row: Value
    column: Value
    members: tuple[Member, ...]
    measure: Measure = "accuracy"

    @property
    def halves(self) -> tuple["Cell", "Cell"]:
        """Of a gain, the accuracies that it is the difference of."""
        middle = len(self.members) // 2
        parts = (self.members[:middle], self.members[middle:])
        return tuple(replace(self, members=part, measure="accuracy") for part in parts)

    @property
    def datasets(self) -> frozenset[str]:
        """Those that its runs are trained on or that it shows them on."""
        trained = {run.dataset for member in self.members for run in member.runs}
        return frozenset(trained | {target.dataset for member in self.members for target in member.scored})


@dataclass(frozen=True)
class PlannedArtefact:
    artefact: Artefact
    scope: Scope
    rows: tuple[Value, ...]
    columns: tuple[Value, ...]
    cells: tuple[Cell, ...]  # row by row
    searches: tuple[SearchSpec, ...] = ()  # that it shows
    sentences: Mapping[str, tuple[str, str]] = field(
        default_factory=dict
    )  # that it reads itself: by row, source and set
    others: tuple["PlannedArtefact", ...] = ()  # whose runs it shows

    @property
    def paper(self) -> Paper:
        return self.scope.paper

    def selecting(self, selection: Selection) -> "PlannedArtefact":
        """The same with another epoch of every run."""
        config = self.scope.config.model_copy(update={"selection": selection})
        return replace(self, scope=replace(self.scope, config=config))

    @property
    def selection(self) -> Selection:
        """Asked for, or the artefact's own, or the paper's."""
        return self.scope.config.selection or self.artefact.selection or self.paper.selection

    def shown_epoch(self, run: RunSpec) -> Selection:
        """Which epoch of a run it shows: that asked for, or what the run's released code keeps, or its own."""
        kept = "best" if run.fidelity.kept_epoch == "best" else None
        return self.scope.config.selection or kept or self.selection

    @property
    def other_epochs(self) -> dict[Selection, list[str]]:
        """The methods of which it shows another epoch than its selection, by that epoch."""
        found: dict[Selection, dict[str, None]] = {}
        for member in self.members:
            if (epoch := self.shown_epoch(member.runs[0])) != self.selection:
                found.setdefault(epoch, {})[member.method] = None
        return {epoch: list(methods) for epoch, methods in found.items()}

    def tests(self, run: RunSpec, selection: Selection | None = None) -> int:
        """Epochs between the tests of a run that it shows: of what a paper, or the run's released code, selects by
        them, and of figures of them; 0: the last epoch alone. selection: in place of the configuration's."""
        own = (self.artefact.selection or self.paper.selection, run.fidelity.kept_epoch)
        selects = "best" in own and (selection or self.shown_epoch(run)) == "best"
        return self.scope.evaluate_every if selects or self.artefact.shows_tests else 0

    @property
    def comparable(self) -> bool:
        """Whether published numbers may stand beside the cells."""
        return self.scope.scale.compares

    def declared(self, axis: Axis) -> tuple[Value, ...]:
        """An axis as the paper has it, whatever stands in at the scale."""
        return axis_of(self.scope.published, self.artefact, axis)

    @property
    def declared_rows(self) -> tuple[Value, ...]:
        """The rows as the paper has them."""
        return rows_of(self.scope.published, self.artefact)

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """Of its cells, each teacher before its students."""
        shown = (member for cell in self.cells for member in cell.members)
        return tuple(each for member in shown for each in (member.teacher, member) if each)

    @cached_property
    def runs(self) -> tuple[RunSpec, ...]:
        """Every run of the artefact, once, in order."""
        own = (run for member in self.members for run in member.runs)
        return tuple({run.id: run for run in chain(own, *(other.runs for other in self.others))}.values())

    @property
    def datasets(self) -> tuple[str, ...]:
        """Every data set that its runs and searches see."""
        seen = {name for cell in self.cells for name in cell.datasets}.union(*(each.datasets for each in self.others))
        return tuple(sorted(seen | {search.dataset for search in self.searches}))

    def shown_in(self, cell: Cell) -> frozenset[str]:
        """The data sets of a cell; of one without runs those that its published number is of."""
        settings = self.artefact.fixed | cell.row.settings | cell.column.settings
        pool = axis_of(self.scope, self.artefact, self.artefact.pool) if self.artefact.pool else ()
        named = [settings | value.settings for value in pool] or [settings]
        names = {self.scope.dataset(each[key]) for each in named for key in ("dataset", "target") if each.get(key)}
        return cell.datasets or frozenset(name for name in names if name)


def plan_artefact(
    scope: Scope, artefact: Artefact, planned: Mapping[str, PlannedArtefact] = MappingProxyType({})
) -> PlannedArtefact:
    """Rows × columns × pool. An axis value that the scale leaves out is dropped; NotAtScale where nothing remains.
    planned: by id, the artefacts before it, whose runs it may show."""
    shown = _searches(scope, artefact)
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
        members = tuple(_member(scope, artefact, each) for each in _trained(scope, artefact, settings, pool))
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
            yield from _needed(scope, _cell(scope, artefact, settings))


def _needed(scope: Scope, cell: Mapping[str, JsonValue]) -> Iterator[Needed]:
    method, name = METHODS[scope.paper.methods[cell["method"]].method], scope.images_of(cell)
    source = scope.sentences(cell.get("attributes"), name) if method.uses_attributes else None
    prompts = method.learns_prompts and name in own_datasets()  # of others it is known
    options = scope.settings(method.options, cell).of("options") if prompts else {}
    yield Needed(name, source, options.get("attributes") == CHOSEN)
    if _is_transfer(cell):
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


def entry_value(entry: Entry) -> Value:
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


def _member(scope: Scope, artefact: Artefact, settings: dict) -> Member:
    paper, cell = scope.paper, _cell(scope, artefact, settings)
    row = paper.methods[settings["method"]]
    method = METHODS[row.method]
    tower = scope.backbone(settings["backbone"])
    if tower is None:
        raise NotAtScale(f"{artefact.id}: scale {scope.scale.name} has nothing for backbone '{settings['backbone']}'")
    where = f"{artefact.id}: {settings['method']}"
    layered, protocol = scope.settings(method.options, cell), _trained_as(cell["protocol"])
    options, data = layered.of("options"), dataset(scope.images_of(cell))
    for key in options:
        if key not in method.options:
            raise UserError(f"{where}: {unknown('option', key, method.options)}")
    search = None
    if options.get("attributes") == CHOSEN:
        options["attributes"], search = _anchors(scope, cell, tower.id)
    spec = {
        "method": row.method,
        "options": _in_pixels(method, options, tower.image_size),
        "backbone": tower.id,
        "dataset": data.id,
        "protocol": protocol,
        "image_size": tower.image_size,
        "images": _images(layered, tower),
        "attributes": scope.sentences(cell.get("attributes"), data.id) if method.uses_attributes else None,
        "fidelity": _fidelity(scope, cell, method, options),
    }
    if method.options_model.input_side:
        spec["image_size"] = spec["options"][method.options_model.input_side]
    teacher = _teacher(scope, artefact, settings)
    if teacher:
        spec["teacher"] = teacher.runs[0]
    if method.trains:
        if protocol in FEW_SHOT and not method.distils:
            spec["shots"] = cell.get("shots") or scope.shots
            _check_shots(where, spec["shots"], data)
        spec["fraction"] = _fraction(cell.get("fraction"), scope.fraction)
        spec["training"] = parse(Training, layered.of("training"), f"{where}: training")
    seeds = scope.seeds if method.trains or method.uses_attributes else (None,)
    runs = tuple(parse(RunSpec, spec | {"seed": seed}, where) for seed in seeds)
    method.check(runs[0])
    declared = scope.published.settings(method.options, _general(scope) | settings).declared
    scored, choices = _scored(where, runs[0], cell), _choices(scope, cell, runs[0])
    return Member(row.label, tower, data.label, runs, layered, declared, scored, choices, search, teacher)


def _teacher(scope: Scope, artefact: Artefact, settings: dict) -> Member | None:
    """What a student's row names, with its first seed's run alone, on the student's data and by its protocol; what a
    cell says of the student's own settings is none of its."""
    named = scope.paper.methods[settings["method"]].teacher
    if named is None:
        return None
    own = {"over", "measure", "target"}
    shared = {key: value for key, value in settings.items() if key not in own and "." not in key}
    member = _member(scope, artefact, shared | {"method": named.method, "backbone": named.backbone})
    return replace(member, runs=member.runs[:1])


def _cell(scope: Scope, artefact: Artefact, settings: dict) -> dict[str, JsonValue]:
    """All that is set of a cell, with what stands in at the scale."""
    _check_settings(artefact, settings)
    return _general(scope) | _substituted(scope, artefact, settings)


def _general(scope: Scope) -> dict[str, JsonValue]:
    return {"protocol": scope.paper.protocol, **scope.choices}


def _check_settings(artefact: Artefact, settings: dict) -> None:
    """Raises UserError for a setting that is wanting."""
    for key in ("method", "backbone", "dataset"):
        if key not in settings:
            raise UserError(f"{artefact.id}: no {key} given: name it on an axis or under 'fixed'")
    if ("over" in settings) != (settings.get("measure") == "gain"):
        raise UserError(f"{artefact.id}: measure gain is over another method: name both, measure and 'over'")


def _substituted(scope: Scope, artefact: Artefact, settings: dict) -> dict:
    """With what stands in for data sets that no axis varies."""
    found = dict(settings)
    for key in ("dataset", "target"):
        if key in settings:
            found[key] = scope.dataset(settings[key])
            if found[key] is None:
                raise NotAtScale(f"{artefact.id}: scale {scope.scale.name} has nothing for '{settings[key]}'")
    return found


def _trained_as(protocol: ProtocolName) -> ProtocolName:
    """Cross-dataset transfer and domain generalisation score the same training on other data."""
    return "cross_dataset" if protocol == "domain_generalization" else protocol


def _scored(where: str, run: RunSpec, settings: dict) -> tuple[Target, ...]:
    match settings.get("measure", "accuracy"):
        case "accuracy" if _is_transfer(settings):
            return (Target(dataset(settings["target"]).id, "all", _transferred(run, settings)),)
        case "accuracy" | "gain":
            return (run.target,)
        case "base" | "new" | "harmonic_mean" as measure:
            if run.protocol != "base_to_new":
                raise UserError(f"{where}: measure {measure} needs protocol base_to_new, this is {run.protocol}")
            sets = ("base", "new") if measure == "harmonic_mean" else (measure,)
            return tuple(Target(run.dataset, classes) for classes in sets)
    return ()


def _choices(scope: Scope, cell: Mapping[str, JsonValue], run: RunSpec) -> dict[str, str]:
    """The choices of the paper that touch a cell: other values would adjust its settings, or its attributes."""
    paper = scope.paper
    adjusting = {
        name
        for each in (*paper.adjust, *(scope.substitutes.adjust if scope.substitutes else ()))
        for name in paper.choices.keys() & each.when.keys()
        if any(each.applies({**cell, name: value}) for value in paper.choices[name].values)
    }
    if run.options.get("attributes") and _is_transfer(cell):
        adjusting |= paper.choices.keys() & {TRANSFER_ATTRIBUTES}
    return {name: cell[name] for name in paper.choices if name in adjusting}


def _is_transfer(cell: Mapping[str, JsonValue]) -> bool:
    """Whether a cell shows another data set than the one that is trained on."""
    return cell.get("target", cell["dataset"]) != cell["dataset"]


def _transferred(run: RunSpec, settings: dict) -> Combination:
    """The attributes that take the place of the run's own where another data set is classified; none where its own
    stay."""
    own = run.options.get("attributes")
    if not own or settings.get(TRANSFER_ATTRIBUTES) != "target":
        return ()
    chosen = anchors(settings["target"]).chosen
    return () if list(chosen) == own else chosen


def _anchors(scope: Scope, cell: Mapping[str, JsonValue], tower: str) -> tuple[list[str] | str, SearchSpec | None]:
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


def _searches(scope: Scope, artefact: Artefact) -> tuple[SearchSpec, ...]:
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


def _check_shots(where: str, shots: int | None, data: Dataset | OwnDataset) -> None:
    most = data.train // data.classes
    if shots and shots > most:
        raise UserError(
            f"{where}: {shots} shots, but {data.id} has {data.train} training images in {data.classes} classes: "
            f"take at most {most}"
        )


def _fraction(*parts: float | None) -> float | None:
    """The share of the training images that all parts together leave; None for the whole."""
    share = prod(part or 1 for part in parts)
    return share if share < 1 else None


def _images(settings: Settings, tower: Backbone) -> dict:
    """How images become input; pixels are stated for a 224 px input and scale with the backbone's."""
    images = settings.of("images")
    scaled = {key: images[key] for key in ("margin", "first") if images[key] is not None}
    return images | {key: round(value * tower.image_size / PUBLISHED_INPUT) for key, value in scaled.items()}


def _in_pixels(method: Method, options: dict, size: int) -> dict:
    return {
        key: round(value * size / PUBLISHED_INPUT) if key in method.options_model.in_pixels else value
        for key, value in options.items()
    }


def _fidelity(scope: Scope, cell: dict, method: Method, options: dict) -> Fidelity:
    """The switches of the paper; those that cannot touch the method take their default, so that runs are shared."""
    touching = method.switches(options, few_shot=_trained_as(cell["protocol"]) in FEW_SHOT)
    return Fidelity(**scope.fidelity(cell.get("fidelity")).model_dump(include=set(touching)))
