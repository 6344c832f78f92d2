"""Figures: each drawing is one module, from a planned artefact to plain data, and from the data to a figure.

A module has ``collect(sources)``, whose result holds ``frame`` (tidy: what is drawn), ``notes`` and ``alt``, and
``draw(data)``. Nothing here imports matplotlib before something is drawn.
"""

from importlib import import_module
from pathlib import Path

from papertables.artefacts import tables
from papertables.artefacts.figures.sources import FigureRecord, Sources, made_how
from papertables.artefacts.subsets import read_subsets
from papertables.base.files import write_atomic
from papertables.base.seals import sealed_json
from papertables.planning.planned import PlannedArtefact
from papertables.results.metrics import Metrics
from papertables.specs.rules import ArtefactFiles

FORMATS = ("pdf", "svg", "png", "csv", "json")


def write(planned: PlannedArtefact, metrics: dict[str, Metrics], files: ArtefactFiles, stem: Path) -> None:
    """``stem`` + .pdf, .svg, .png, .csv (what is drawn) and .json (what pages say of it). The same results give the
    same bytes. A run that is not there is a UserError, unless the configuration says ``partial``."""
    from papertables.artefacts.figures import style

    table = tables.build(planned, metrics, Path(files.published_folder), read_subsets(files.manifests))
    sources = Sources(planned, metrics, table, files)
    module = import_module(f"{__name__}.{planned.artefact.drawing}")
    data = module.collect(sources)
    with style.style():
        made = style.render(module.draw(data))
    record = FigureRecord(
        drawing=planned.artefact.drawing,
        alt=data.alt,
        notes=(*made_how(sources), *data.notes),
        selection=table.selection if planned.artefact.needs.selects else None,
        **{name: getattr(table, name) for name in FigureRecord.FROM_TABLE},
    )
    made |= {
        ".csv": data.frame.to_csv(index=False, float_format="%.6g").encode(),
        ".json": sealed_json(record.model_dump_json(indent=1)),
    }
    for suffix, content in made.items():
        write_atomic(stem.with_name(stem.name + suffix), content)
