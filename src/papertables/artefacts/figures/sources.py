"""What figures are made of, and what stands beside them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from papertables.artefacts.collect import mend
from papertables.artefacts.notes import numerics_notes, run_notes
from papertables.artefacts.subsets import read_subsets
from papertables.artefacts.table import Table
from papertables.artefacts.unverified import unverified_notes
from papertables.planning.planned import Cell, PlannedArtefact
from papertables.results.inspections import Inspection, read_inspection
from papertables.results.mappings import read_mappings
from papertables.results.metrics import Metrics
from papertables.results.searches import SearchResult, read_search
from papertables.results.store import Store
from papertables.specs.artefact import DrawingName
from papertables.specs.config import Selection
from papertables.specs.rules import ArtefactFiles
from papertables.specs.spec import Model, RunSpec

SELECTIONS = {"best": "epoch that is best on the test set", "last": "last epoch"}


class FigureRecord(Model):
    """What the index says of a figure; its files lie beside this one."""

    FROM_TABLE: ClassVar = ("id", "title", "caption", "paper", "venue", "scale", "failures", "sources", "subsets")

    id: str
    title: str
    caption: str
    paper: str
    venue: str
    scale: str
    drawing: DrawingName
    alt: str
    notes: tuple[str, ...]
    failures: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    subsets: tuple[str, ...] = ()
    selection: Selection | None = None  # where it shows one epoch of a run

    @property
    def in_sight(self) -> str:
        """The one line that nobody has to unfold."""
        return self.notes[0] if self.notes else ""


@dataclass(frozen=True)
class Sources:
    """``table``: the artefact's cells with their published numbers."""

    planned: PlannedArtefact
    metrics: dict[str, Metrics]
    table: Table
    files: ArtefactFiles

    @property
    def store(self) -> Store:
        return Store(Path(self.files.store))

    @property
    def published_folder(self) -> Path:
        return Path(self.files.published_folder)

    @cached_property
    def subsets(self) -> dict[str, str]:
        """What is said of data sets that are there in part, by name."""
        return read_subsets(self.files.manifests)

    def inspection(self, run: RunSpec) -> Inspection:
        return read_inspection(Path(self.files.inspections[run.id]))

    @property
    def images(self) -> str:
        """What the inspected images are."""
        return {"test": "test images", "train": "training images"}[self.planned.artefact.part]

    def classes_note(self, most: int) -> str:
        """Which classes of a data set a drawing of some shows."""
        named = ", ".join(self.planned.artefact.classes)
        if not named:
            return f"the first {most} classes of each data set"
        return f"the classes that the paper shows ({named}), or the first {most} of a data set that has none of them"

    def mappings(self, run: RunSpec) -> dict[str, np.ndarray]:
        """The label mappings of a run; UserError where it left none."""
        return read_mappings(self.store.mappings(run.id))

    def mend(self, run: RunSpec) -> str:
        """What to delete so that a run is made again."""
        return mend(run.id, self.files)

    def searches(self) -> list[SearchResult]:
        """Those that are there."""
        return [read_search(path) for path in map(Path, self.files.searches) if path.exists()]

    def cells(self) -> Iterator[tuple[Cell, tuple[RunSpec, ...]]]:
        """Each cell with its runs that are there and show something."""
        for cell in self.planned.cells:
            runs = (run for member in cell.members for run in member.runs)
            yield cell, tuple(run for run in runs if self._shows(run))

    def inspected(self) -> Iterator[tuple[Cell, RunSpec]]:
        """Each cell with its first run that was inspected."""
        for cell, runs in self.cells():
            yield from [(cell, run) for run in runs if run.id in self.files.inspections][:1]

    def _shows(self, run: RunSpec) -> bool:
        return run.id in self.metrics and self.metrics[run.id].shows(run, self.planned.selection)


def made_how(sources: Sources) -> list[str]:
    """The notes of a table that hold for the drawing: a selection and a mean over seeds only where it shows them."""
    planned = sources.planned
    averaged = planned.artefact.average and planned.artefact.needs.pools
    notes = run_notes(planned, list(planned.runs), averaged, sources.subsets)
    notes += numerics_notes(sources.metrics.values())
    notes += unverified_notes(planned, sources.files.manifests)
    if not planned.cells:  # a search: nothing was trained by the paper's protocol
        return notes[:1]
    untrue = () if planned.artefact.needs.selects else ("Selection ",)
    untrue += ("Mean ± ", "Seed ") if planned.artefact.needs.single else ()
    return [note for note in notes if not note.startswith(untrue)]


def footer(sources: Sources, *more: str) -> str:
    """The short line under a figure: scale, the backbone where there is one alone, seeds, selection."""
    planned = sources.planned
    backbones = {member.backbone.label for cell in planned.cells for member in cell.members}
    parts = [f"Scale {planned.scope.scale.name}", *(backbones if len(backbones) == 1 else ()), *more]
    if planned.artefact.needs.selects:
        parts.append(SELECTIONS[planned.selection])
    return "; ".join(parts) + "."


def over_seeds(sources: Sources) -> str:
    seeds = sorted({run.seed for run in sources.planned.runs if run.seed is not None})
    if len(seeds) < 2:
        return f"seed {seeds[0]}" if seeds else "no seeds"
    return f"mean ± std over seeds {', '.join(map(str, seeds))}"


def images_per_column(planned: PlannedArtefact) -> int:
    """How many images drawings of single images show in a column."""
    columns = len(planned.columns)
    return 4 if columns == 1 else 2 if columns <= 4 else 1


def one_seed(seeds: set[int | None]) -> str:
    """What drawings say that show one run per cell."""
    known = sorted(seed for seed in seeds if seed is not None)
    return f"one run each, seed {', '.join(map(str, known))}" if known else "one run each"
