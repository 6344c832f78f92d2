"""Checks what a person wrote against its model; the first problem ends in one line that names the key and the mend."""

import re
from pathlib import Path
from types import UnionType
from typing import Annotated, TypeVar, Union, get_args, get_origin

from pydantic import JsonValue, ValidationError

from papertables.errors import UserError, unknown
from papertables.files import read_yaml
from papertables.spec import Model

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
        raise UserError(f"{where}: {_problem(model, error.errors()[0])}") from None


def read(model: type[AnyModel], path: Path, **extra: JsonValue) -> AnyModel:
    """Reads a YAML file into a model, with ``extra`` keys added."""
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise UserError(f"{path}: must hold keys and values")
    return parse(model, values | extra, str(path))


def _problem(model: type[Model], error: dict) -> str:
    """``device: unknown value 'tpu' (did you mean 'cpu'?): choose from cpu, cuda, auto``."""
    location, given, bounds = error["loc"], error["input"], error.get("ctx", {})
    key = ".".join(str(part) for part in location)
    if error["type"] == "extra_forbidden":
        return unknown("key", key, _model_at(model, location[:-1]).model_fields)
    if error["type"] == "literal_error":
        words = re.findall(r"'([^']*)'", bounds["expected"])
        if words and isinstance(given, str):
            return f"{key}: {unknown('value', given, words)}"
        choices = words or re.split(", | or ", bounds["expected"])
        return f"{key} is {given!r}: it must be one of {', '.join(choices)}"
    if error["type"] == "too_short":
        return f"{key} is empty: name at least one"
    for name, words in BOUNDS.items():
        if name in bounds:
            return f"{key} must be {words} {bounds[name]:g}, not {given!r}"
    for name, expected in EXPECTED.items():
        if error["type"].startswith(name):
            example = _example(model, location)
            return f"{key} {'has no value' if given is None else f'is {given!r}'}: it must be {expected}{example}"
    return f"{key}: {error['msg'].removeprefix('Value error, ')} (found {given!r})"


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
