"""Checks what a person wrote against its model; the first problem ends in one line that names the key and the mend, and
all keys that are missing in one."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, TypeVar, Union, get_args, get_origin

from pydantic import JsonValue, ValidationError

from papertables.base.errors import UserError, did_you_mean, unknown
from papertables.base.files import read_yaml
from papertables.specs.spec import Model

AnyModel = TypeVar("AnyModel", bound=Model)
EXPECTED = {  # by the beginning of pydantic's name of the problem
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "bool": "true or false",
    "string_type": "a text",
    "string_too_short": "a text that is not empty",
    "tuple": "a list",
    "dict": "keys with values",
    "model": "keys with values",
}
BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def parse(model: type[AnyModel], values: object, where: str) -> AnyModel:
    """The validated model; raises UserError."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UserError(f"{where}: {_problem(model, values, error.errors())}") from None


def read(model: type[AnyModel], path: Path, **extra: JsonValue) -> AnyModel:
    """Reads a YAML file into a model, with ``extra`` keys added, which say where it lies."""
    values = read_keys(path)
    for key in extra:
        if key in values:
            raise UserError(f"{path}: '{key}' follows from where the file lies: leave it out")
    return parse(model, values | extra, str(path))


def read_keys(path: Path) -> dict[str, JsonValue]:
    """The keys and values of a YAML file; raises UserError where it holds something else, or nothing."""
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise UserError(f"{path}: must hold keys and values")
    return values


def entries(model: type[AnyModel], path: Path) -> dict[str, AnyModel]:
    """The entries of a catalog by their names, which their ``id`` takes."""
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise UserError(f"{path}: must hold names, each with its entry")
    found = {}
    for name, entry in values.items():
        if not isinstance(entry, dict):
            raise UserError(f"{path}: {name} must hold keys and values")
        named = {"id": name} if "id" in model.model_fields else {}
        found[name] = parse(model, entry | named, f"{path}: {name}")
    return found


def check_different(path: Path, key: str, values: Mapping[str, object]) -> None:
    """Raises UserError where two entries of a catalog have the same value under a key."""
    named: dict[object, str] = {}
    for name, value in values.items():
        if value in named:
            raise UserError(f"{path}: {named[value]} and {name} have the same {key} '{value}': give each its own")
        named[value] = name


def _problem(model: type[Model], values: object, errors: list[dict]) -> str:
    """``device: unknown value 'tpu' (did you mean 'cpu'?): choose from cpu, cuda, auto``. A key that is not known comes
    first, for the one that it should be then is missing, too."""
    errors = [error | {"loc": _location(values, error)} for error in errors]
    missing = [".".join(map(str, error["loc"])) for error in errors if error["type"] == "missing"]
    strange = [error for error in errors if error["type"] == "extra_forbidden"]
    if strange:
        *place, name = strange[0]["loc"]
        known = list(_model_at(model, tuple(place)).model_fields)
        key = ".".join(map(str, strange[0]["loc"]))
        return f"unknown key '{key}'{did_you_mean(name, known)}: choose from {', '.join(known)}"
    if missing:
        return f"{', '.join(missing)} {'are missing: add them' if len(missing) > 1 else 'is missing: add it'}"
    return _wrong(model, max((each for each in errors if each["loc"][:1] == errors[0]["loc"][:1]), key=_depth))


def _depth(error: dict) -> tuple[int, int]:
    """How well an error explains a union: the branch that fits furthest is meant; else a rule that is broken, or a
    name that is not known, before a type."""
    if error["type"] == "literal_error":
        return len(error["loc"]), 2 if isinstance(error["input"], str) else 0
    return len(error["loc"]), 2 if error["type"] in ("value_error", "too_short") else 1


def _location(values: object, error: dict) -> tuple[str | int, ...]:
    """Where the problem is in what was written, without pydantic's names of a union's branches."""
    found: list[str | int] = []
    for part in error["loc"]:
        inside = part in values if isinstance(values, dict) else isinstance(part, int) and isinstance(values, Sequence)
        if inside and not isinstance(values, str):
            found, values = [*found, part], values[part]
    return (*found, *error["loc"][-1:]) if error["type"] == "missing" else tuple(found)


def _wrong(model: type[Model], error: dict) -> str:
    location, given, bounds = error["loc"], error["input"], error.get("ctx", {})
    key = ".".join(str(part) for part in location)
    if error["type"] == "literal_error":
        words = re.findall(r"'([^']*)'", bounds["expected"])
        if words and isinstance(given, str):
            return f"{key}: {unknown('value', given, words)}"
        choices = words or re.split(", | or ", bounds["expected"])
        return f"{key} is {given!r}: it must be one of {', '.join(choices)}"
    if error["type"] == "too_short":
        return f"{key} is empty: name at least one"
    if error["type"] == "string_pattern_mismatch":
        return f"{key} is {given!r}: it must fit {bounds['pattern']}"
    for name, words in BOUNDS.items():
        if name in bounds:
            return f"{key} must be {words} {bounds[name]:g}, not {given!r}"
    for name, expected in EXPECTED.items():
        if error["type"].startswith(name):
            example = _example(model, location)
            return f"{key} {'has no value' if given is None else f'is {given!r}'}: it must be {expected}{example}"
    found = "" if isinstance(given, dict) else f" (found {given!r})"
    return f"{key}{': ' if key else ''}{error['msg'].removeprefix('Value error, ')}{found}"


def _example(model: type[Model], location: tuple[str | int, ...]) -> str:
    field = _model_at(model, location[:-1]).model_fields.get(location[-1]) if location else None
    return f", such as {field.examples[0]}" if field and field.examples else ""


def _model_at(model: type[Model], location: tuple[str | int, ...]) -> type[Model]:
    """The model that holds what lies at a location."""
    for part in location:
        if part in model.model_fields:
            model = next(_models_in(model.model_fields[part].annotation), model)
    return model


def _models_in(annotation: object):
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    elif get_origin(annotation) in (Union, UnionType, Annotated, tuple, dict):
        for part in get_args(annotation):
            yield from _models_in(part)
