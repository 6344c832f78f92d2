"""Fingerprints of source code that comments, docstrings and formatting do not change."""

import ast
import hashlib
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from symtable import symtable
from typing import TypeVar

from papertables.base.errors import UserError
from papertables.base.files import read_text

T = TypeVar("T")
PACKAGE = "papertables"
FOLDER = Path(__file__).parents[1]
ROOMS = ("papertables.methods", "papertables.attributes")  # whose code is fingerprinted by itself
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def code_digest(files: Iterable[Path]) -> str:
    """SHA-256 over the syntax trees of Python files, docstrings removed, in the order given."""
    total = hashlib.sha256()
    for file in files:
        total.update(_understood(_shape, file).encode())
    return total.hexdigest()


def source_files(module: str, within: Iterable[str]) -> list[Path]:
    """The file of a module of this package and of all modules of some rooms (``papertables.methods``) that it needs,
    through their imports, wherever in a file these stand. Packages themselves are left out. Raises UserError for a file
    that is no Python."""
    rooms, found, wanted = tuple(f"{room}." for room in within), {}, [module]
    while wanted:
        name = wanted.pop()
        file = _file(name)
        if name not in found and file is not None:
            found[name] = file
            wanted += [each for each in _understood(_imports, file) if f"{each}.".startswith(rooms)]
    return sorted(found.values())


def module_file(module: str) -> Path:
    """Where a module of this package lies, or would lie."""
    return FOLDER.joinpath(*module.split(".")[1:]).with_suffix(".py")


def defines(file: Path, name: str) -> bool:
    """Whether a module says what a name is, by its code alone. Raises UserError for a file that is no Python."""
    return name in _understood(_names, file)


def _file(module: str) -> Path | None:
    path = module_file(module)
    return path if module.startswith(f"{PACKAGE}.") and path.is_file() else None


def _understood(read: Callable[[str], T], file: Path) -> T:
    try:
        return read(read_text(file))
    except SyntaxError as error:
        raise UserError(f"{file}: not valid Python (line {error.lineno}: {error.msg}): mend that line") from None


def _names(code: str) -> Iterable[str]:
    """Those of the module itself, not of what is inside its classes and functions."""
    return symtable(code, "", "exec").get_identifiers()


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
