"""Gathers what the runs left: from job files or from the store, into metrics by run and one tidy table."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd
from pydantic import JsonValue, ValidationError

from papertables.errors import UserError
from papertables.files import write_atomic
from papertables.planning.cells import PlannedArtefact
from papertables.results.metrics import Evaluation, Metrics
from papertables.rules import ArtefactFiles
from papertables.spec import Fidelity, RunSpec


def read_jobs(paths: Iterable[Path]) -> dict[str, Metrics]:
    """Run id to metrics, from job files with one run a line. A line that is no record is a UserError."""
    found = {}
    for path in paths:
        for number, line in enumerate(Path(path).read_text().splitlines(), start=1):
            metrics = _parse(line, f"{path}:{number}")
            found[metrics.run] = metrics
    return found


def read_store(folder: Path, runs: Iterable[RunSpec]) -> dict[str, Metrics]:
    """Run id to metrics, of those of ``runs`` that are there: ``<folder>/<run id>/metrics.json``."""
    paths = {run.id: folder / run.id / "metrics.json" for run in runs}
    return {id: _parse(path.read_text(), str(path)) for id, path in paths.items() if path.exists()}


def gather(planned: PlannedArtefact, files: ArtefactFiles) -> dict[str, Metrics]:
    """Run id to metrics, of the artefact's runs alone: from their job files, or, if its configuration says ``partial``,
    what the store has of them."""
    runs = list(planned.runs)
    if planned.scope.config.partial:
        return read_store(Path(files.store), runs)
    found = read_jobs(map(Path, files.jobs))
    return {run.id: found[run.id] for run in runs if run.id in found}


def _parse(text: str, where: str) -> Metrics:
    try:
        return Metrics.model_validate_json(text)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"])
        reason = f"{key}: {problem['msg']}" if key else problem["msg"]
        raise UserError(f"{where}: no valid record of a run ({reason}): delete the file and run again") from None


def _fidelity(name: str) -> "Column":
    return lambda run, _: getattr(run.spec.fidelity, name)


def _scored(which: str, what: str) -> "Column":
    """``epoch`` or ``accuracy``, in percent, of the ``best`` or the ``last`` epoch; None where there is none."""
    return lambda _, one: getattr(getattr(one, which, None), what, None)


NO_COMMIT = "none"
Column = Callable[[Metrics, Evaluation | None], JsonValue]
COLUMNS: dict[str, Column] = {  # of one evaluation of a run, or of a run without any
    "run": lambda run, _: run.run,
    "method": lambda run, _: run.spec.method,
    "options": lambda run, _: _flat(run.spec.options),
    "backbone": lambda run, _: run.spec.backbone,
    "trained_on": lambda run, _: run.spec.dataset,
    "dataset": lambda run, one: one.dataset if one else run.spec.dataset,
    "classes": lambda _, one: one.classes if one else "all",
    "transfer_attributes": lambda _, one: " ".join(one.attributes) if one else "",
    "protocol": lambda run, _: run.spec.protocol,
    "shots": lambda run, _: run.spec.shots,
    "fraction": lambda run, _: run.spec.fraction,
    "seed": lambda run, _: run.spec.seed,
    "attributes": lambda run, _: run.spec.attributes,
    **{name: _fidelity(name) for name in Fidelity.model_fields},
    "outcome": lambda run, _: run.outcome,
    "diverged_epoch": lambda run, _: run.diverged and run.diverged.epoch,
    "diverged_step": lambda run, _: run.diverged and run.diverged.step,
    "nonfinite_steps": lambda run, _: sum(run.nonfinite.values()),  # after which it went on
    "images": lambda _, one: one and one.images,  # test images
    "best_epoch": _scored("best", "epoch"),
    "best_accuracy": _scored("best", "accuracy"),
    "last_epoch": _scored("last", "epoch"),
    "last_accuracy": _scored("last", "accuracy"),
    "parameters": lambda run, _: run.parameters,
    "seconds": lambda run, _: run.cost.seconds,
    "images_through_tower": lambda run, _: run.cost.images,
    "images_per_second": lambda run, _: run.cost.images_per_second,
    "peak_memory_mb": lambda run, _: run.cost.peak_memory_mb,
    "group_size": lambda run, _: run.cost.group_size,
    "device": lambda run, _: run.cost.device,
    "git_commit": lambda run, _: run.git_commit or NO_COMMIT,
    "data_fingerprint": lambda run, _: run.fingerprint.data,
    "backbone_fingerprint": lambda run, _: run.fingerprint.backbone,
    "attributes_fingerprint": lambda run, _: run.fingerprint.attributes,
    "method_fingerprint": lambda run, _: run.fingerprint.method,
    "numerics": lambda run, _: run.fingerprint.numerics,
    "versions": lambda run, _: _flat(run.versions),
}
WHOLE = ("shots", "seed", "diverged_epoch", "diverged_step", "images", "best_epoch", "last_epoch")


def runs_csv(metrics: dict[str, Metrics]) -> pd.DataFrame:
    """One row per evaluation, in order of run id; a run without any evaluation has one row too."""
    rows = [(run, one) for _, run in sorted(metrics.items()) for one in run.evaluations or [None]]
    values = [[column(*row) for column in COLUMNS.values()] for row in rows]
    return pd.DataFrame(values, columns=list(COLUMNS)).astype(dict.fromkeys(WHOLE, "Int64"))


def write_runs_csv(metrics: dict[str, Metrics], path: Path) -> None:
    write_atomic(path, runs_csv(metrics).to_csv(index=False).encode())


def _flat(values: dict[str, JsonValue]) -> str:
    """``k=3 m=20``"""
    return " ".join(f"{key}={value}" for key, value in sorted(values.items()))
