"""Regenerates the tables and figures of papers on visual reprogramming and prompt learning."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from papertables.reading import Results

# Raised where code that all runs pass through changes numbers: every run is then made again; see base/numerics.py.
NUMERICS = 4


def open(folder: str) -> "Results":
    """The results in a folder, such as ``results/mini``: see ``papertables.reading``."""
    from papertables.reading import Results

    return Results(folder)
