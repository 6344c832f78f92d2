"""What papers and scales say, against all that they name: data sets, backbones, methods, options, settings, choices."""

from collections.abc import Container, Iterable, Mapping
from functools import cache
from typing import get_args

from pydantic import JsonValue

from papertables.attributes.catalog import attribute_sources, language_models
from papertables.backbones.catalog import backbones
from papertables.base.errors import UserError, unknown
from papertables.data.catalog import datasets
from papertables.data.own import own_datasets
from papertables.methods.options import PUBLISHED_INPUT, AttributeOptions, Options
from papertables.methods.table import METHODS
from papertables.planning.asking import named
from papertables.planning.settings import merged
from papertables.specs.artefact import VARIED, Artefact, Entry
from papertables.specs.config import PUBLISHED, AnchorsName, Config, Measure
from papertables.specs.paper import Adjustment, Paper, PaperMethod
from papertables.specs.scale import Scale, Substitutes
from papertables.specs.spec import FEW_SHOT, Fidelity, Images, ProtocolName, SearchSpec, Training
from papertables.specs.validation import parse

TRANSFER_ATTRIBUTES = "transfer_attributes"  # a choice: what anchored prompts name on other data
CHOSEN = "chosen"  # attributes: those of the data set, published or searched
BASES = ("one", "two", "three")  # of a search that is made up to try its settings


def check_paper(where: str, paper: Paper) -> None:
    """Raises UserError for what a paper names and there is not, or says and nobody reads."""
    check_names(f"{where}: datasets", "dataset", paper.datasets, datasets())
    if paper.attributes is not None:
        check_names(f"{where}: attributes", "attribute source", [paper.attributes], attribute_sources())
    if paper.protocol in FEW_SHOT and paper.shots is None:
        raise UserError(f"{where}: shots is missing: protocol {paper.protocol} trains on some images of each class")
    for name in paper.methods:
        _check_method(f"{where}: methods.{name}", paper, name)
    _check_switches(where, paper)
    check_adjustments(where, paper, paper.adjust)
    _check_declared_choices(where, paper)


def check_scale(where: str, scale: Scale, papers: Mapping[str, Paper]) -> None:
    """Raises UserError for what a scale names and there is not, or says and nobody reads."""
    check_names(f"{where}: papers", "paper", scale.papers, papers)
    for id, paper in papers.items():
        substitutes = scale.substitutes(id)
        if substitutes is None:
            continue
        _check_substitutes(f"{where}: {f'papers.{id}' if id in scale.papers else 'others'}", paper, substitutes)
        check_adjustments(where, paper, substitutes.adjust)
        for each in substitutes.adjust:
            if "dataset" in each.set:
                raise UserError(f"{where}: adjust: dataset: a paper alone sets it: name it under dataset_substitutes")


def check_artefact(paper: Paper, artefact: Artefact) -> None:
    """Raises UserError for what an artefact names and there is not, whatever its scale leaves out of it."""
    for name, axis in artefact.axes.items():
        listed = paper.datasets if axis.vary == "dataset" else tuple(paper.methods)
        check_names(f"{name}: without", axis.vary, axis.without, listed)
        if axis.values == "all" and set(listed) <= set(axis.without):
            raise UserError(f"{name}: without leaves nothing of {', '.join(listed)}")
        for value in axis.values if axis.values != "all" else ():
            for key, each in (value.set if isinstance(value, Entry) else {axis.vary: value}).items():
                check_cell_setting(name, paper, key, each)
    for key, value in artefact.fixed.items():
        check_cell_setting("fixed", paper, key, value)
    for each in artefact.empty:
        for key, value in ((key, value) for key, values in each.items() for value in values):
            check_cell_setting("empty", paper, key, value)
    if artefact.average:
        _check_average(paper, artefact)


def check_cell_setting(where: str, paper: Paper, key: str, value: JsonValue, methods: Iterable[str] = ()) -> None:
    """Raises UserError for a setting that no cell of the paper has, or a value that it cannot have. methods: whose
    options there may be; none: those of the paper."""
    options = _options(frozenset(methods or (row.method for row in paper.methods.values() if row.method)))
    group, _, name = key.partition(".")
    if key in VARIED or key in paper.choices:
        check_setting(where, paper, key, value)
    elif group == "training" and name:
        check_training(f"{where}: training", paper, {name: value})
    elif group == "images" and name:
        check_images(f"{where}: images", paper, {name: value})
    elif key in options:
        _check_any(where, options[key], name, value)
    elif group == "options" and name:
        raise UserError(f"{where}: {unknown('option', name, [each.partition('.')[2] for each in options])}")
    else:
        raise UserError(f"{where}: {unknown('setting', key, sorted([*VARIED, *paper.choices, *options]))}")


def check_own_datasets() -> None:
    """Raises UserError for what a data set of the user's names and there is not."""
    for own in own_datasets().values():
        check_names(f"{own.file}: sentences", "attribute source", [own.sentences], attribute_sources())


def check_choices(config: Config, papers: Mapping[str, Paper]) -> None:
    """Raises UserError for a choice that no paper declares, or a value that there is not."""
    known = {name: choice for paper in papers.values() for name, choice in paper.choices.items()}
    for name, value in config.choices.items():
        if name not in known:
            raise UserError(f"config: choices: {unknown('choice', name, known)}")
        if value not in known[name].values:
            raise UserError(f"config: choices: {name}: {unknown('value', value, known[name].values)}")


def check_sources(config: Config) -> None:
    """Raises UserError for a source of attributes that there is not, or that has none of this kind."""
    if config.sentences != PUBLISHED:
        check_names("config: sentences", "source", [config.sentences], [PUBLISHED, *attribute_sources()])
    if config.bases != PUBLISHED:
        check_names("config: bases", "source", [config.bases], [PUBLISHED, *language_models()])
    if config.source is not None:
        check_names("config: source", "source", [config.source], language_models())
    if config.llm and not named(config) & language_models().keys():
        names = " or ".join(language_models())
        raise UserError(f"config: llm: nothing is asked of a language model: set sentences or bases to {names}")


def check_adjustments(where: str, paper: Paper, adjustments: Iterable[Adjustment]) -> None:
    """Raises UserError for a name that no cell could have, or a value that no run could, so that a slip does not go
    unnoticed."""
    known = {"dataset": list(datasets()), "backbone": list(backbones()), "method": list(paper.methods)}
    known |= {"protocol": list(get_args(ProtocolName))}
    known |= {name: list(choice.values) for name, choice in paper.choices.items()}
    options = sorted({f"options.{name}" for method in METHODS.values() for name in method.options})
    settings = options + [f"training.{name}" for name in Training.model_fields]
    settings += [f"images.{name}" for name in Images.model_fields] + ["dataset"]
    for each in adjustments:
        for key in each.when:
            if key not in known:
                raise UserError(f"{where}: adjust: when: {unknown('key', key, known)}")
        named = [(key, name, known[key]) for key, names in each.when.items() for name in names]
        named += [("setting", ".".join(path.split(".")[:2]), settings) for path in each.set]
        named += [("dataset", each.set["dataset"], known["dataset"])] if "dataset" in each.set else []
        for key, name, names in named:
            if name not in names:
                raise UserError(f"{where}: adjust: {unknown(key, name, names)}")
        _check_set(f"{where}: adjust", paper, each)


def check_setting(where: str, paper: Paper, key: str, value: JsonValue) -> None:
    """Raises UserError for a value that a setting of a cell cannot have."""
    known: dict[str, Container[str]] = {
        "method": paper.methods,
        "over": paper.methods,
        "dataset": datasets(),
        "target": datasets(),
        "backbone": backbones(),
        "attributes": attribute_sources(),
        "protocol": get_args(ProtocolName),
        "anchors": get_args(AnchorsName),
        "fidelity": ("published", "repaired"),
        "measure": get_args(Measure),
        **{name: choice.values for name, choice in paper.choices.items()},
    }
    if key in known and (not isinstance(value, str) or value not in known[key]):
        raise UserError(f"{where}: {unknown(key, value, known[key])}")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if key == "shots" and not (is_number and isinstance(value, int) and value >= 1):
        raise UserError(f"{where}: shots is {value!r}: it must be a whole number, at least 1")
    if key == "fraction" and not (is_number and 0 < value <= 1):
        raise UserError(f"{where}: fraction is {value!r}: it must be a number more than 0 and at most 1")


def check_names(where: str, kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Raises UserError for the first name that is not known."""
    known = list(known)
    for name in names:
        if name not in known:
            raise UserError(f"{where}: {unknown(kind, name, known)}")


def _check_method(where: str, paper: Paper, name: str) -> None:
    row = paper.methods[name]
    if row.method is None:
        return
    check_names(where, "method", [row.method], METHODS)
    method = METHODS[row.method]
    for option, value in row.options.items():
        check_names(f"{where}.options", "option", [option.partition(".")[0]], method.options)
        check_option(f"{where}.options", method.options_model, option, value)
    _check_teacher(where, paper, row)
    if row.training:
        check_training(f"{where}.training", paper, row.training)
    if row.images:
        check_images(f"{where}.images", paper, row.images)
    if issubclass(method.options_model, AttributeOptions) and paper.attributes is None:
        raise UserError(f"{where}: method {row.method} reads sentences: name the paper's 'attributes'")


def _check_teacher(where: str, paper: Paper, row: PaperMethod) -> None:
    """Raises UserError where a row learns from none that there is, or names one and does not learn from it."""
    if METHODS[row.method].distils != (row.teacher is not None):
        wrong = "leave 'teacher' out" if row.teacher else "name a row and its backbone under 'teacher'"
        raise UserError(f"{where}: method {row.method}: {wrong}")
    if row.teacher is None:
        return
    check_names(f"{where}.teacher", "method", [row.teacher.method], paper.methods)
    check_names(f"{where}.teacher", "backbone", [row.teacher.backbone], backbones())
    taught = paper.methods[row.teacher.method].method
    if taught is None or not METHODS[taught].stays_near:
        able = ", ".join(name for name, method in METHODS.items() if method.stays_near)
        raise UserError(f"{where}.teacher: {row.teacher.method} has no class vectors: take a row of method {able}")


def check_option(where: str, model: type[Options], name: str, value: JsonValue) -> None:
    """Raises UserError for a value that an option cannot have; of one in pixels before these are scaled."""
    if name in model.in_pixels:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            said = f"it must be a number of pixels of a {PUBLISHED_INPUT} px input"
            raise UserError(f"{where}: {name} is {value!r}: {said}")
        return
    if not (name == "attributes" and value == CHOSEN):
        parse(model, {name: value}, where)


def check_training(where: str, paper: Paper, values: Mapping[str, JsonValue]) -> None:
    """Raises UserError for settings of training that are none over the paper's own. Of a part that another adjustment
    declares, some keys may be said alone."""
    training = merged(paper.training.model_dump(), dict(values))
    common = {key: training[key] for key in ("optimizer", "schedule")}
    if isinstance(training["parts"], dict):
        parts = training["parts"].items()
        training["parts"] = {name: merged(common, part) if isinstance(part, dict) else part for name, part in parts}
    parse(Training, training, where)


def check_images(where: str, paper: Paper, values: Mapping[str, JsonValue]) -> None:
    """Raises UserError for settings of images that are none over the paper's own; pixels are scaled later."""
    images = merged(paper.images.model_dump(), dict(values))
    for key in ("margin", "first"):
        pixels = images[key]
        if isinstance(pixels, int | float) and 0 <= pixels < float("inf") and not isinstance(pixels, bool):
            images[key] = round(pixels)
    parse(Images, images, where)


def _check_set(where: str, paper: Paper, adjustment: Adjustment) -> None:
    """The values that an adjustment sets, each for some method that it is about."""
    start = {group: f"{group}." for group in ("options", "training", "images")}
    groups = {
        group: {path.removeprefix(name): value for path, value in adjustment.set.items() if path.startswith(name)}
        for group, name in start.items()
    }
    if groups["training"]:
        check_training(f"{where}: training", paper, groups["training"])
    if groups["images"]:
        check_images(f"{where}: images", paper, groups["images"])
    about = adjustment.when.get("method", tuple(paper.methods))
    models = {paper.methods[name].method for name in about} & METHODS.keys()
    for option, value in groups["options"].items():
        having = [METHODS[name].options_model for name in sorted(models) if option in METHODS[name].options]
        if not having:
            raise UserError(f"{where}: options.{option}: none of the methods {', '.join(about)} has such an option")
        _check_any(where, having, option, value)


def _check_any(where: str, models: Iterable[type[Options]], option: str, value: JsonValue) -> None:
    """Raises the first UserError where none of the models takes the value."""
    errors = []
    for model in models:
        try:
            return check_option(f"{where}: options", model, option, value)
        except UserError as error:
            errors.append(error)
    raise errors[0]


def _check_switches(where: str, paper: Paper) -> None:
    check_names(f"{where}: fidelity", "switch", paper.fidelity, Fidelity.model_fields)
    for name in ("published", "repaired"):
        values = {key: getattr(switch, name) for key, switch in paper.fidelity.items()}
        parse(Fidelity, values, f"{where}: fidelity: {name}")
        if paper.search:
            _check_search(f"{where}: search: {name}", paper.search.settings(name))


def _check_search(where: str, settings: Mapping[str, JsonValue]) -> None:
    made_up = {"dataset": "any", "backbone": "any", "seed": 1, "bases": BASES}
    parse(SearchSpec, dict(settings) | made_up, where)


def _check_declared_choices(where: str, paper: Paper) -> None:
    read = {key for each in paper.adjust for key in each.when} | {TRANSFER_ATTRIBUTES}
    for name in paper.choices:
        if name in VARIED:
            raise UserError(f"{where}: choices: '{name}' is the name of a setting: take another")
        if name not in read:
            raise UserError(f"{where}: choices: {name}: nothing reads it: name it under 'when' of an adjustment")


def _check_substitutes(where: str, paper: Paper, scale: Substitutes) -> None:
    check_names(f"{where}.datasets", "dataset", scale.datasets or (), datasets())
    for key, known, kind in (
        ("dataset_substitutes", datasets(), "dataset"),
        ("backbones", backbones(), "backbone"),
        ("attributes", attribute_sources(), "attribute source"),
    ):
        pairs = getattr(scale, key)
        check_names(f"{where}.{key}", kind, [*pairs, *(name for name in pairs.values() if name is not None)], known)
    check_training(f"{where}.training", paper, scale.training)
    if scale.search:
        if paper.search is None:
            raise UserError(f"{where}.search: paper {paper.id} searches nothing: leave it out")
        check_names(f"{where}.search", "key", scale.search, type(paper.search).model_fields)
        _check_search(f"{where}.search", paper.search.settings("published") | scale.search)
    for key, values in scale.without.items():
        for value in values:
            check_cell_setting(f"{where}.without", paper, key, value, METHODS)


@cache
def _options(methods: frozenset[str]) -> dict[str, list[type[Options]]]:
    """By ``options.<name>``, the options of methods that have it."""
    found: dict[str, list[type[Options]]] = {}
    for method in sorted(methods):
        for name in METHODS[method].options:
            found.setdefault(f"options.{name}", []).append(METHODS[method].options_model)
    return found


def _check_average(paper: Paper, artefact: Artefact) -> None:
    axis = artefact.rows if artefact.rows.vary == "dataset" else artefact.columns
    if axis.vary not in ("dataset", "target"):
        raise UserError(f"average: it is over data sets, and {axis.vary} is varied: leave it out")
    names = paper.datasets if axis.values == "all" else [value for value in axis.values if isinstance(value, str)]
    check_names("average_without", axis.vary, artefact.average_without, names)
