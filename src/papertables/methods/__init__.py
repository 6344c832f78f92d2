"""The table of methods. Nothing here imports torch, so that a plan can be made without it.

A new method is one file with a class ``Learner`` and one line in ``METHODS``.
"""

import ast
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from papertables.backbones.catalog import backbone
from papertables.code import code_digest
from papertables.errors import UserError
from papertables.methods.options import check_options
from papertables.spec import RunSpec

if TYPE_CHECKING:
    from torch import nn

    from papertables.methods.context import Context

PACKAGE = "papertables.methods"
FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Method:
    """One family of methods.

    module: where its ``Learner`` is. pixel_options: options in pixels of a 224 px input, which the plan
    scales to the backbone's input. input_side: the option that is the side of the images the method is
    given (None: the backbone's whole input). options: defaults at 224 px.
    """

    module: str
    trains: bool
    uses_attributes: bool = False
    pixel_options: tuple[str, ...] = ()
    input_side: str | None = None
    options: dict[str, int | float] = field(default_factory=dict)

    def check(self, run: RunSpec) -> None:
        """Raises UserError if the run's options cannot work with its backbone."""
        try:
            check_options(run.options, backbone(run.backbone).image_size)
        except UserError as error:
            raise UserError(f"{run.method} with {run.backbone} on {run.dataset}: {error}") from None


ATTRIBUTES = {"k": 3, "lam": 0.5, "m": 20}
PADDED = {"pixel_options": ("inner",), "input_side": "inner"}
METHODS: dict[str, Method] = {
    "zero_shot": Method(f"{PACKAGE}.zero_shot", trains=False),
    "attr_zs": Method(f"{PACKAGE}.attr_zs", trains=False, uses_attributes=True, options=ATTRIBUTES),
    "vp": Method(f"{PACKAGE}.vp", trains=True, pixel_options=("pad",), options={"pad": 30}),
    "ar": Method(f"{PACKAGE}.ar", trains=True, options={"inner": 192}, **PADDED),
    "attrvr": Method(
        f"{PACKAGE}.attrvr", trains=True, uses_attributes=True, options={"inner": 192, **ATTRIBUTES}, **PADDED
    ),
}


def build(name: str, options: dict[str, int | float], context: "Context") -> "nn.Module":
    """The learner of a method: ``pixels`` (B, 3, s, s) in [0, 1] to the tower's normalised input (B, 3, P,
    P), and ``logits`` from the tower's features (B, D) to (B, C)."""
    return import_module(METHODS[name].module).Learner(context, **options)


@cache
def method_code(name: str) -> str:
    """SHA-256 over the syntax trees of the method's module and of all modules of this package that it
    imports: comments, docstrings and formatting change nothing."""
    return code_digest(sorted(_files(METHODS[name].module, set())))


def _files(module: str, found: set[Path]) -> set[Path]:
    """``found`` and the files of ``module`` and, through imports, of all that it needs from here."""
    path = FOLDER / f"{module.removeprefix(PACKAGE + '.')}.py"
    if path in found or not path.is_file():
        return found
    found.add(path)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for imported in names:
            if imported.startswith(f"{PACKAGE}."):
                _files(imported, found)
    return found
