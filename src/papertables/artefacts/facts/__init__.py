"""Tables that are computed, not trained: each fact is one module with ``collect(source)``, which gives a ``Sheet``.

Nothing here imports torch before a fact is computed.
"""

from importlib import import_module
from pathlib import Path

from papertables.artefacts.facts.sheet import Sheet, Source, table
from papertables.artefacts.tables import Table
from papertables.config import Artefact, Config, Paper, Scale


def build(artefact: Artefact, paper: Paper, published_folder: Path, scale: Scale, config: Config) -> Table:
    """The table that ``artefact.facts`` names, about the paper's own data sets and backbones at every scale."""
    source = Source(artefact, paper, scale, config)
    sheet: Sheet = import_module(f"{__name__}.{artefact.facts}").collect(source)
    return table(source, sheet, published_folder)
