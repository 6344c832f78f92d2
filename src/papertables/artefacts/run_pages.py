"""Pages of what is behind the numbers: the runs of every cell, and of each run its curve, settings and origin."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue

from papertables.artefacts.collect import gather
from papertables.artefacts.curve import panels
from papertables.artefacts.render import templates
from papertables.artefacts.table import Table
from papertables.base.files import write_atomic
from papertables.data.catalog import dataset
from papertables.planning.planned import Member, PlannedArtefact
from papertables.results.metrics import Metrics
from papertables.specs.artefact import Artefact
from papertables.specs.paper import Paper
from papertables.specs.rules import ArtefactFiles
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


@dataclass(frozen=True)
class Results:
    """What pages are made of. artefacts: the JSON files that ``render.write`` and ``figures.write`` left, in the order
    in which they are to be shown, each in a folder that is named as its paper. planned: the same as they were planned.
    metrics: of their runs that are there. logs: by run, what its job wrote. unmade: artefacts that were asked for and
    could not be made."""

    artefacts: Sequence[Path]
    planned: Sequence[PlannedArtefact]
    metrics: Mapping[str, Metrics]
    logs: Mapping[str, Path]
    unmade: Sequence[Artefact] = ()


def gathered(
    files: Iterable[str],
    listed: Sequence[tuple[PlannedArtefact, ArtefactFiles]],
    logs: Mapping[str, str],
    unmade: Sequence[Artefact] = (),
) -> Results:
    """What pages are made of. files: of the artefacts that are listed. Raises UserError where what a run left is not
    valid."""
    return Results(
        artefacts=[Path(file) for file in files],
        planned=[planned for planned, _ in listed],
        metrics={run: each for pair in listed for run, each in gather(*pair).items()},
        logs={run: Path(file) for run, file in logs.items()},
        unmade=unmade,
    )


def write_runs(pages: Path, results: Results, tables: Iterable[tuple[str, Table]]) -> None:
    """Below ``pages``, which lies beside the store ``runs``, a page for each of tables (paper and table) and each run
    that is there."""
    for paper, table in tables:
        if table.traced:
            _write(
                pages / "cells" / f"{table.id}.html", "cells.html", table=table, paper=paper, metrics=results.metrics
            )
    for id, shown in _shown(results.planned).items():
        if id in results.metrics:
            _write_run(pages / "runs" / f"{id}.html", shown, results.metrics[id], _end(results.logs.get(id)))


def _write_run(path: Path, shown: Shown, metrics: Metrics, log: str) -> None:
    names = {metrics.spec.dataset, *(each.dataset for each in metrics.evaluations)}
    top = "../" * (metrics.run.count("/") + 1)  # to the pages of papers
    _write(
        path,
        "run.html",
        shown=shown,
        metrics=metrics,
        labels={name: dataset(name).label for name in names},
        panels=panels(metrics.curve),
        changes=list(changes(shown)),
        log=log,
        top=top,
        record=f"{top}../runs/{metrics.run}/{METRICS}",
    )


def _write(path: Path, template: str, **told: object) -> None:
    write_atomic(path, templates().get_template(template).render(**told).encode())


def _end(log: Path | None) -> str:
    """The last lines of a log; of a bar of progress its last state."""
    if log is None or not log.exists():
        return ""
    lines = log.read_text("utf-8", errors="replace").splitlines()
    return "\n".join(line.rpartition("\r")[2].rstrip() for line in lines[-KEPT:])


def _shown(planned: Sequence[PlannedArtefact]) -> dict[str, Shown]:
    """By run id."""
    found: dict[str, Shown] = {}
    for each in planned:
        for member in each.members:
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
