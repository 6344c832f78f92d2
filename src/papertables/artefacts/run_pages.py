"""Pages of what is behind the numbers: the runs of every cell, and of each run its curve, settings and origin."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue

from papertables.artefacts.curve import panels
from papertables.artefacts.render import templates
from papertables.artefacts.tables import Table
from papertables.base.files import write_atomic
from papertables.data.catalog import dataset
from papertables.planning.cells import Member, PlannedArtefact
from papertables.results.metrics import Metrics
from papertables.specs.config import Paper
from papertables.specs.spec import METRICS, RunSpec

KEPT = 60  # lines of a log that a page shows
GAVE = {"method": "the method's default", "paper": "the paper", "scale": "the scale", "cell": "this cell"}


class Change(NamedTuple):
    """A setting that is not the paper's, and who gave it."""

    setting: str
    paper: JsonValue
    here: JsonValue
    given_by: str


@dataclass
class Shown:
    """A run with what declares it first, and the artefacts that show it: title by id."""

    run: RunSpec
    member: Member
    paper: Paper
    artefacts: dict[str, str]


class RunPages:
    """The pages below ``folder``. store: of runs. logs: by run id, what its job wrote."""

    def __init__(self, folder: Path, store: Path, logs: Mapping[str, Path]):
        self.folder, self.store, self.logs = folder, store, logs

    def write(self, planned: Sequence[PlannedArtefact], metrics: Mapping[str, Metrics]) -> None:
        """A page for every run that is there."""
        template = templates().get_template("run.html")
        for id, shown in _shown(planned).items():
            if id in metrics:
                seen = {shown.run.dataset, *(each.dataset for each in metrics[id].evaluations)}
                file = self.folder / "runs" / f"{id}.html"
                depth = len(file.relative_to(self.folder).parts) - 1
                text = template.render(
                    shown=shown,
                    metrics=metrics[id],
                    labels={name: dataset(name).label for name in seen},
                    panels=panels(metrics[id].curve),
                    changes=list(changes(shown)),
                    log=self._log(id),
                    top="../" * depth,
                    record=f"{'../' * (depth + 1)}{self.store.name}/{id}/{METRICS}",
                )
                write_atomic(file, text.encode())

    def write_cells(self, table: Table, paper: str, metrics: Mapping[str, Metrics]) -> None:
        """The page of a table's cells, each with its runs."""
        text = templates().get_template("cells.html").render(table=table, paper=paper, metrics=metrics)
        write_atomic(self.folder / "cells" / f"{table.id}.html", text.encode())

    def _log(self, run: str) -> str:
        """The end of it; of a bar of progress its last state."""
        path = self.logs.get(run)
        if path is None or not path.exists():
            return ""
        lines = path.read_text("utf-8", errors="replace").splitlines()
        return "\n".join(line.rpartition("\r")[2].rstrip() for line in lines[-KEPT:])


def _shown(planned: Sequence[PlannedArtefact]) -> dict[str, Shown]:
    """By run id."""
    found: dict[str, Shown] = {}
    for each in planned:
        for member in (member for cell in each.cells for member in cell.members):
            for run in member.runs:
                shown = found.setdefault(run.id, Shown(run, member, each.paper, {}))
                shown.artefacts[each.artefact.id] = each.artefact.title
    return found


def changes(shown: Shown) -> Iterator[Change]:
    """What of a run's settings, shots and fidelity is not as the paper has it."""
    ours, theirs = shown.member.settings.leaves, shown.member.declared.leaves
    for path in sorted({*ours, *theirs}):
        if ours.get(path) != theirs.get(path):
            origin = shown.member.settings.origin(path)
            yield Change(path, theirs.get(path), ours.get(path), GAVE.get(origin, "nobody"))
    run, paper = shown.run, shown.paper
    if run.shots and run.shots != paper.shots:
        yield Change("shots", paper.shots, run.shots, "the scale or this cell")
    for name, switch in paper.fidelity.items():
        here = getattr(run.fidelity, name)
        if here != switch.published:
            yield Change(f"fidelity.{name}", switch.published, here, "the configuration or this cell")
