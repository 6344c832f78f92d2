"""Settings as layers, the later over the earlier, each value of which knows where it came from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from pydantic import JsonValue

GROUPS = ("options", "training", "images")
Origin = Literal["method", "paper", "scale", "cell"]


class Layer(NamedTuple):
    """values: by group, or by path (``training.optimizer.lr``). where: the file of what is said over a paper's general
    settings, but for a single cell."""

    origin: Origin
    values: dict[str, JsonValue]
    where: str = ""

    def of(self, group: str) -> dict[str, JsonValue]:
        """By path below a group."""
        start = f"{group}."
        named = self.values.get(group) or {}
        return named | {key.removeprefix(start): value for key, value in self.values.items() if key.startswith(start)}


@dataclass(frozen=True)
class Settings:
    """What is said of a cell, from the most general to the most special."""

    layers: tuple[Layer, ...]

    def of(self, group: str) -> dict[str, JsonValue]:
        """A group's values: ``training`` with nested dictionaries, as in a spec."""
        result: dict[str, JsonValue] = {}
        for layer in self.layers:
            result = merged(result, layer.of(group))
        return result

    @property
    def leaves(self) -> dict[str, JsonValue]:
        """Every value by its path."""
        return {path: value for group in GROUPS for path, value in _flat(group, self.of(group))}

    def origin(self, path: str) -> Origin | None:
        """Where the value at ``training.optimizer.lr`` came from; None where nobody gives one."""
        group, _, rest = path.partition(".")
        for layer in reversed(self.layers):
            found = layer.of(group)
            if rest in found or _has(found, rest):
                return layer.origin
        return None

    def overridden(self) -> Iterator[tuple[str, str, str]]:
        """What a paper says of single methods or cells, or a scale, and the other overrides: path, where the value is
        that does not hold, and where the one is that does."""
        leaves = [dict(_leaves(layer)) for layer in self.layers]
        for place, layer in enumerate(self.layers):
            for path, value in leaves[place].items() if layer.where else ():
                last = next(i for i in reversed(range(len(leaves))) if path in leaves[i])
                winner = self.layers[last]
                if winner.where and winner.origin != layer.origin and leaves[last][path] != value:
                    yield path, layer.where, winner.where

    @property
    def declared(self) -> "Settings":
        """What the paper says, whatever the scale or the cell does."""
        return Settings(tuple(layer for layer in self.layers if layer.origin in ("method", "paper")))


def _leaves(layer: Layer) -> Iterator[tuple[str, JsonValue]]:
    for group in GROUPS:
        yield from _flat(group, layer.of(group))


def _flat(start: str, values: Mapping[str, JsonValue]) -> Iterator[tuple[str, JsonValue]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(f"{start}.{key}", value)
        else:
            yield f"{start}.{key}", value


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


def _has(values: dict, path: str) -> bool:
    key, _, rest = path.partition(".")
    return key in values and (not rest or (isinstance(values[key], dict) and _has(values[key], rest)))
