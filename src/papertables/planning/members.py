"""From the settings of a cell to the specs of its runs."""

from collections.abc import Mapping
from dataclasses import replace
from math import prod

from pydantic import JsonValue

from papertables.attributes.anchors import anchors
from papertables.backbones.catalog import Backbone
from papertables.base.errors import UserError, unknown
from papertables.data.catalog import Dataset, dataset
from papertables.data.own import OwnDataset
from papertables.methods.options import PUBLISHED_INPUT
from papertables.methods.table import METHODS, Method
from papertables.planning.declarations import CHOSEN, TRANSFER_ATTRIBUTES
from papertables.planning.planned import Member
from papertables.planning.scope import NotAtScale, Scope
from papertables.planning.searching import attributes_of
from papertables.planning.settings import Settings
from papertables.specs.artefact import Artefact
from papertables.specs.spec import FEW_SHOT, Combination, Fidelity, ProtocolName, RunSpec, Target, Training
from papertables.specs.validation import parse


def member_of(scope: Scope, artefact: Artefact, settings: dict) -> Member:
    """The method of a cell with its runs. Raises UserError for settings that its method does not take, NotAtScale where
    the scale has nothing for its backbone or its data."""
    paper, cell = scope.paper, settings_of(scope, artefact, settings)
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
        options["attributes"], search = attributes_of(scope, cell, tower.id)
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
    member = member_of(scope, artefact, shared | {"method": named.method, "backbone": named.backbone})
    return replace(member, runs=member.runs[:1])


def settings_of(scope: Scope, artefact: Artefact, settings: dict) -> dict[str, JsonValue]:
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
        case "accuracy" if is_transfer(settings):
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
    if run.options.get("attributes") and is_transfer(cell):
        adjusting |= paper.choices.keys() & {TRANSFER_ATTRIBUTES}
    return {name: cell[name] for name in paper.choices if name in adjusting}


def is_transfer(cell: Mapping[str, JsonValue]) -> bool:
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
