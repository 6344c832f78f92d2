"""The rooms of the package stand in the order of the DAG, and imports point downwards only."""

import ast
from pathlib import Path

import pytest

import papertables

ROOT = Path(papertables.__file__).parent
FLOORS = [
    *({"base"}, {"specs"}, {"data", "attributes"}, {"backbones"}, {"methods"}, {"results"}),
    *({"planning", "training"}, {"artefacts"}, {"commands", "reading", "schema"}),
]
APART = {"planning", "training"}  # of one floor, and know nothing of each other
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def folder(path: Path) -> Path:
    """The folder that a file lies in, or the file itself at the root."""
    return path if path.parent == ROOT else path.parent


def modules_imported(path: Path) -> set[Path]:
    """The files of the package that a file imports, at its top, inside its functions and for its types."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    below = [ROOT.joinpath(*name.split(".")[1:]) for name in names if name.startswith("papertables.")]
    return {file for each in below for file in (each.with_suffix(".py"), each / "__init__.py")} & set(FILES)


def test_every_room_has_its_floor():
    assert {room(path) for path in FILES} == set(FLOOR)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downwards(path):
    own, rooms = room(path), {room(each) for each in modules_imported(path)}
    upwards = {other for other in rooms if FLOOR[other] > FLOOR[own]}
    assert not upwards, f"{own} stands below {upwards}"
    if own in APART:
        assert not rooms & (APART - {own})


@pytest.mark.slow
def test_rooms_know_few_others():
    """Nested folders count as rooms of their own here."""
    arrows = {(folder(path), folder(other)) for path in FILES for other in modules_imported(path)}
    assert 40 < sum(own != other for own, other in arrows) < 80
