"""Gathers what the runs left: from job files or from the store, into metrics by run and one tidy table."""

from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import pandas as pd
from pydantic import JsonValue, ValidationError

from papertables.errors import UserError
from papertables.files import write_atomic
from papertables.planning.cells import PlannedArtefact
from papertables.results.metrics import Evaluation, Metrics
from papertables.rules import ArtefactFiles
from papertables.spec import RunSpec


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


@dataclass(frozen=True)
class Row:
    """One evaluation of a run. Accuracies in percent."""

    run: str
    method: str
    options: str
    backbone: str
    trained_on: str
    dataset: str
    classes: str
    transfer_attributes: str
    protocol: str
    shots: int | None
    fraction: float | None
    seed: int | None
    attributes: str | None
    few_shot_draw: str
    shared_seed: int
    attribute_stream: str
    attribute_sampling: str
    first_mapping_pass: str
    attribute_tokens: str
    deep_start: str
    on_nonfinite: str  # as it was trained
    outcome: str
    diverged_epoch: int | None
    diverged_step: int | None
    nonfinite_steps: int  # after which it went on
    images: int | None  # test images
    best_epoch: int | None
    best_accuracy: float | None
    last_epoch: int | None
    last_accuracy: float | None
    parameters: int
    seconds: float
    images_through_tower: int
    images_per_second: float
    peak_memory_mb: float
    group_size: int
    device: str
    git_commit: str | None
    data_fingerprint: str
    backbone_fingerprint: str
    attributes_fingerprint: str | None
    method_fingerprint: str
    numerics: int
    versions: str


def runs_csv(metrics: dict[str, Metrics]) -> pd.DataFrame:
    """One row per evaluation, in order of run id; a run without any evaluation has one row too."""
    rows = [astuple(row) for _, each in sorted(metrics.items()) for row in _rows(each)]
    frame = pd.DataFrame(rows, columns=[field.name for field in fields(Row)])
    whole = ["shots", "seed", "diverged_epoch", "diverged_step", "images", "best_epoch", "last_epoch"]
    return frame.astype(dict.fromkeys(whole, "Int64"))


def write_runs_csv(metrics: dict[str, Metrics], path: Path) -> None:
    write_atomic(path, runs_csv(metrics).to_csv(index=False).encode())


def _rows(metrics: Metrics) -> Iterator[Row]:
    for evaluation in metrics.evaluations or [None]:
        yield _row(metrics, evaluation)


def _row(metrics: Metrics, evaluation: Evaluation | None) -> Row:
    spec, cost, fingerprint = metrics.spec, metrics.cost, metrics.fingerprint
    best, last = (evaluation.best, evaluation.last) if evaluation else (None, None)
    return Row(
        run=metrics.run,
        method=spec.method,
        options=_flat(spec.options),
        backbone=spec.backbone,
        trained_on=spec.dataset,
        dataset=evaluation.dataset if evaluation else spec.dataset,
        classes=evaluation.classes if evaluation else "all",
        transfer_attributes=" ".join(evaluation.attributes) if evaluation else "",
        protocol=spec.protocol,
        shots=spec.shots,
        fraction=spec.fraction,
        seed=spec.seed,
        attributes=spec.attributes,
        **spec.fidelity.model_dump(),
        outcome=metrics.outcome,
        diverged_epoch=metrics.diverged.epoch if metrics.diverged else None,
        diverged_step=metrics.diverged.step if metrics.diverged else None,
        nonfinite_steps=sum(metrics.nonfinite.values()),
        images=evaluation.images if evaluation else None,
        best_epoch=best.epoch if best else None,
        best_accuracy=best.accuracy if best else None,
        last_epoch=last.epoch if last else None,
        last_accuracy=last.accuracy if last else None,
        parameters=metrics.parameters,
        seconds=cost.seconds,
        images_through_tower=cost.images,
        images_per_second=cost.images_per_second,
        peak_memory_mb=cost.peak_memory_mb,
        group_size=cost.group_size,
        device=cost.device,
        git_commit=metrics.git_commit,
        data_fingerprint=fingerprint.data,
        backbone_fingerprint=fingerprint.backbone,
        attributes_fingerprint=fingerprint.attributes,
        method_fingerprint=fingerprint.method,
        numerics=fingerprint.numerics,
        versions=_flat(metrics.versions),
    )


def _flat(values: dict[str, JsonValue]) -> str:
    """``k=3 m=20``"""
    return " ".join(f"{key}={value}" for key, value in sorted(values.items()))
