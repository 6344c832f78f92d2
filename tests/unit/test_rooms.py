"""The rooms of the package stand in the order of the DAG, and imports point downwards only."""

import ast
from pathlib import Path

import pytest

import papertables

ROOT = Path(papertables.__file__).parent
GROUND = {
    "errors",
    "files",
    "code",
    "numerics",
    "drawings",
    "spec",
    "config",
    "validation",
    "device",
    "scripting",
    "rules",
}
FLOORS = [
    *({"data", "attributes"}, {"backbones"}, {"methods"}, {"results"}),
    *({"planning", "training"}, {"artefacts"}, {"commands", "schema"}),
]
APART = {"planning", "training"}  # of one floor, and know nothing of each other
FLOOR = {room: number for number, rooms in enumerate([GROUND, *FLOORS]) for room in rooms}
FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def rooms_imported(path: Path) -> set[str]:
    """The rooms that a file imports from, at its top, inside its functions and for its types."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    parts = [name.split(".") for name in names if name.startswith("papertables.")]
    return {part[1] for part in parts} & FLOOR.keys()


def test_every_room_has_its_floor():
    assert {room(path) for path in FILES} == set(FLOOR)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downwards(path):
    own, rooms = room(path), rooms_imported(path)
    upwards = {other for other in rooms if FLOOR[other] > FLOOR[own]}
    assert not upwards, f"{own} stands below {upwards}"
    if own in APART:
        assert not rooms & (APART - {own})
