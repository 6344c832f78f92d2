"""Tables that are computed, not trained: one module each, with ``compute(source)``, which gives a ``ComputedTable``.

Nothing here imports torch before a table is computed.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from papertables.artefacts.collect import gather
from papertables.artefacts.computed.computed_table import ComputedTable, Source, table
from papertables.artefacts.subsets import read_subsets
from papertables.artefacts.table import Table
from papertables.planning.planned import PlannedArtefact
from papertables.results.metrics import Metrics
from papertables.results.searches import read_search
from papertables.specs.rules import ArtefactFiles


def build(planned: PlannedArtefact, files: ArtefactFiles, metrics: Mapping[str, Metrics] | None = None) -> Table:
    """The table that ``artefact.computed`` names. metrics: of the runs that it shows beside."""
    results = tuple(read_search(Path(path)) for path in files.searches)
    others = gather(planned, files) | dict(metrics or {})
    read = (results, read_subsets(files.manifests), files.sentences, others)
    source = Source(planned, Path(files.published_folder), *read)
    computed: ComputedTable = import_module(f"{__name__}.{planned.artefact.computed}").compute(source)
    return table(source, computed)
