"""What figures are made of, and what stands beside them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from papertables.artefacts.notes import run_notes
from papertables.artefacts.tables import Table
from papertables.cells import Cell, PlannedArtefact
from papertables.config import Drawing, Scale
from papertables.errors import UserError
from papertables.metrics import Metrics
from papertables.spec import Model, RunSpec

POOLED = ("lines", "selection")  # drawings of means, which may be means over a pool
SELECTED = ("lines", "patterns", "embeddings", "neighbours")  # drawings of one selected epoch
SELECTIONS = {"best": "epoch that is best on the test set", "last": "last epoch"}


class FigureRecord(Model):
    """What the index says of a figure; its files lie beside this one."""

    FROM_TABLE: ClassVar = ("id", "title", "caption", "paper", "venue", "scale", "failures", "sources")

    id: str
    title: str
    caption: str
    paper: str
    venue: str
    scale: str
    drawing: Drawing
    alt: str
    notes: tuple[str, ...]
    failures: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sources:
    """``table``: the artefact's cells with their published numbers. runs: the store. embedded: by run id."""

    planned: PlannedArtefact
    metrics: Mapping[str, Metrics]
    table: Table
    runs: Path
    embedded: Mapping[str, Path]
    scale: Scale

    def cells(self) -> Iterator[tuple[Cell, tuple[RunSpec, ...]]]:
        """Each cell with its runs that are there and finished."""
        for cell in self.planned.cells:
            runs = (run for member in cell.members for run in member.runs)
            yield cell, tuple(run for run in runs if self._finished(run))

    def _finished(self, run: RunSpec) -> bool:
        return run.id in self.metrics and self.metrics[run.id].outcome == "finished"


def check(planned: PlannedArtefact) -> None:
    """Raises UserError where the artefact declares what its drawing cannot show."""
    artefact = planned.artefact
    if artefact.pool and artefact.drawing not in POOLED:
        raise UserError(f"{artefact.id}: drawing '{artefact.drawing}' shows single runs: leave out 'pool'")


def made_how(sources: Sources) -> list[str]:
    """The notes of a table, without the selection where the drawing takes no selected epoch."""
    planned = sources.planned
    averaged = planned.artefact.average and planned.artefact.drawing in POOLED
    notes = run_notes(planned, list(planned.runs), sources.scale, averaged)
    keep_selection = planned.artefact.drawing in SELECTED
    return [note for note in notes if keep_selection or not note.startswith("Selection ")]


def footer(sources: Sources, *more: str) -> str:
    """The short line under a figure: scale, seeds, selection."""
    planned = sources.planned
    parts = [f"Scale {sources.scale.name}", *more]
    if planned.artefact.drawing in SELECTED:
        parts.append(SELECTIONS[planned.selection])
    return "; ".join(parts) + "."


def over_seeds(sources: Sources) -> str:
    seeds = sorted({run.seed for run in sources.planned.runs if run.seed is not None})
    if len(seeds) < 2:
        return f"seed {seeds[0]}" if seeds else "no seeds"
    return f"mean ± std over seeds {', '.join(map(str, seeds))}"
