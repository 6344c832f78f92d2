"""Tables that are computed, not trained: each fact is one module with ``collect(source)``, which gives a ``Sheet``.

Nothing here imports torch before a fact is computed.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from papertables.artefacts.facts.sheet import Sheet, Source, table
from papertables.artefacts.tables import Table
from papertables.config import Artefact, Config, Paper, Scale
from papertables.results.searches import SearchSpec, read_search


def build(
    artefact: Artefact,
    paper: Paper,
    published_folder: Path,
    scale: Scale,
    config: Config,
    searches: Mapping[SearchSpec, Path] = MappingProxyType({}),
) -> Table:
    """The table that ``artefact.facts`` names. searches: the results that it shows, of attribute searches."""
    results = tuple(read_search(path) for path in searches.values())
    source = Source(artefact, paper, scale, config, published_folder, results)
    sheet: Sheet = import_module(f"{__name__}.{artefact.facts}").collect(source)
    return table(source, sheet)
