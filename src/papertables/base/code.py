"""Fingerprints of source code that comments, docstrings and formatting do not change."""

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

PACKAGE = "papertables"
FOLDER = Path(__file__).parents[1]
ROOMS = ("papertables.methods", "papertables.attributes")  # whose code is fingerprinted by itself
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def code_digest(files: Iterable[Path]) -> str:
    """SHA-256 over the syntax trees of Python files, docstrings removed, in the order given."""
    total = hashlib.sha256()
    for file in files:
        total.update(_shape(_read(file)).encode())
    return total.hexdigest()


def source_files(module: str, within: Iterable[str]) -> list[Path]:
    """The file of a module of this package and of all modules of some rooms (``papertables.methods``) that it needs,
    through their imports, wherever in a file these stand. Packages themselves are left out."""
    rooms, found, wanted = tuple(f"{room}." for room in within), {}, [module]
    while wanted:
        name = wanted.pop()
        file = _file(name)
        if name not in found and file is not None:
            found[name] = file
            wanted += [each for each in _imports(_read(file)) if f"{each}.".startswith(rooms)]
    return sorted(found.values())


def _file(module: str) -> Path | None:
    path = FOLDER.joinpath(*module.split(".")[1:]).with_suffix(".py")
    return path if module.startswith(f"{PACKAGE}.") and path.is_file() else None


def _read(file: Path) -> str:
    return file.read_text("utf-8")


@cache
def _imports(code: str) -> list[str]:
    """Every name that could be a module."""
    names = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


@cache
def _shape(code: str) -> str:
    """A syntax tree as text, without docstrings, and without the fields that are empty, of which later Pythons add
    some."""
    return repr(_nested(ast.parse(code)))


def _nested(node: object) -> object:
    if isinstance(node, list):
        return [_nested(each) for each in node]
    if not isinstance(node, ast.AST):
        return node
    fields = dict(ast.iter_fields(node))
    if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
        fields["body"] = node.body[1:]
    return type(node).__name__, *((name, _nested(value)) for name, value in fields.items() if value not in (None, []))
