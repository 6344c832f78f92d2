"""Fingerprints of source code that comments, docstrings and formatting do not change."""

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path

PACKAGE = "papertables"
FOLDER = Path(__file__).parents[1]


def code_digest(files: Iterable[Path]) -> str:
    """SHA-256 over the syntax trees of Python files, docstrings removed, in the order given."""
    total = hashlib.sha256()
    for file in files:
        tree = _tree(file)
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
                and ast.get_docstring(node) is not None
            ):
                node.body = node.body[1:]
        total.update(repr(_shape(tree)).encode())
    return total.hexdigest()


def _shape(node: object) -> object:
    """A syntax tree as nested tuples, without the fields that are empty: later Pythons add some."""
    if isinstance(node, ast.AST):
        fields = [(name, _shape(value)) for name, value in ast.iter_fields(node) if value is not None and value != []]
        return type(node).__name__, *fields
    return [_shape(each) for each in node] if isinstance(node, list) else node


def source_files(module: str, within: Iterable[str]) -> list[Path]:
    """The file of a module of this package and of all modules of some rooms (``papertables.methods``) that it needs,
    through their imports, wherever in a file these stand. Packages themselves are left out."""
    rooms, found, wanted = tuple(f"{room}." for room in within), {}, [module]
    while wanted:
        name = wanted.pop()
        file = _file(name)
        if name not in found and file is not None:
            found[name] = file
            wanted += [each for each in _imports(file) if f"{each}.".startswith(rooms)]
    return sorted(found.values())


def _file(module: str) -> Path | None:
    path = FOLDER.joinpath(*module.split(".")[1:]).with_suffix(".py")
    return path if module.startswith(f"{PACKAGE}.") and path.is_file() else None


def _imports(file: Path) -> list[str]:
    """Every name that could be a module."""
    names = []
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))
