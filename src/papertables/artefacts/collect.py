"""Gathers what the runs left: from job files or from the store, into metrics by run and one tidy table."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from pydantic import JsonValue

from papertables.base.errors import UserError
from papertables.base.files import write_atomic
from papertables.base.seals import Damaged
from papertables.planning.planned import PlannedArtefact
from papertables.results.metrics import Evaluation, Metrics, read_record
from papertables.results.store import Store
from papertables.specs.rules import ArtefactFiles
from papertables.specs.spec import METRICS, Fidelity, RunSpec
from papertables.training.present import Present


@dataclass(frozen=True)
class Line:
    """What a job wrote of one run: the file, its line from 1, and the text."""

    file: Path
    number: int
    text: str

    @property
    def where(self) -> str:
        return f"{self.file}:{self.number}"

    @property
    def mend(self) -> str:
        return f"delete {self.file} and run again"


def gather(planned: PlannedArtefact, files: ArtefactFiles) -> dict[str, Metrics]:
    """Run id to metrics, of the artefact's runs alone: from their job files, or, if its configuration says ``partial``,
    those that the store has and that would not be made anew: numbers of other code, data or weights are no numbers of
    this artefact. Raises UserError, which says what to delete so that exactly that is made again, where a record is not
    valid, where a job file is not what the store holds, and where records of the same test images differ in how many
    there are."""
    runs, store = list(planned.runs), Store(Path(files.store))
    if planned.scope.config.partial:
        present = Present(files.training, store)
        looked_at = {id: present.of(id, each) for id, each in read_store(store, runs).items()}
        found = {id: each for id, each in looked_at.items() if each is not None}
    else:
        found = read_jobs(map(Path, files.jobs), store, runs)
        _check_whole(found, runs, files)
    _check_images(found, store, files)
    return found


def read_jobs(paths: Iterable[Path], store: Store, runs: Sequence[RunSpec]) -> dict[str, Metrics]:
    """Run id to metrics, of those of ``runs`` that are in job files, with one run a line, as the store has them."""
    found, wanted = {}, {run.id for run in runs}
    for line, written in read_lines(paths):
        if written.run in wanted:
            found[written.run] = _recorded(line, written, store)
    return {run.id: found[run.id] for run in runs if run.id in found}


def read_store(store: Store, runs: Iterable[RunSpec]) -> dict[str, Metrics]:
    """Run id to metrics, of those of ``runs`` that are there."""
    found = {}
    for run in runs:
        path = store.root / run.id / METRICS
        if path.exists():
            try:
                found[run.id] = store.record(run.id)
            except UserError as error:
                raise UserError(f"{error}: delete {path} and run again") from None
    return found


def read_lines(paths: Iterable[Path]) -> Iterator[tuple[Line, Metrics]]:
    """The lines of job files with what they hold; raises UserError for one that holds no valid record."""
    for line in _lines(paths):
        try:
            yield line, read_record(line.text, line.where)
        except UserError as error:
            raise UserError(f"{error}: {line.mend}") from None


def _lines(paths: Iterable[Path]) -> Iterator[Line]:
    for path in paths:
        text = Path(path).read_text("utf-8", errors="replace")
        if not text.strip():
            raise Damaged(path, "it is empty")
        yield from (Line(Path(path), number, line) for number, line in enumerate(text.splitlines(), start=1))


def _recorded(line: Line, written: Metrics, store: Store) -> Metrics:
    """The store's record of a run, of which a job wrote a part at least: a run may have been scored on more since.
    Raises UserError where it is another one, or not valid."""
    try:
        recorded = store.record(written.run)
    except UserError as error:
        raise UserError(f"{line.where}: does not follow from the store: {error}: {line.mend}") from None
    others = [name for name in Metrics.model_fields if name != "evaluations"]
    differing = [name for name in others if getattr(written, name) != getattr(recorded, name)]
    if any(each not in recorded.evaluations for each in written.evaluations):
        differing.append("evaluations")
    if differing:
        path = store.root / written.run / METRICS
        raise UserError(
            f"{line.where}: not what {path} says ({', '.join(differing)}): {line.mend}, and delete the latter too if "
            "it is the one that was changed"
        )
    return recorded


def _check_whole(found: dict[str, Metrics], runs: Sequence[RunSpec], files: ArtefactFiles) -> None:
    """Raises UserError for a run of which no job file has a line: a file was cut off at the end of one."""
    for run in (run for run in runs if run.id not in found):
        of_its_kind = (run.dataset, run.backbone)  # as all of a job
        lines = read_lines(map(Path, files.jobs))
        cut = [str(line.file) for line, each in lines if (each.spec.dataset, each.spec.backbone) == of_its_kind]
        raise UserError(f"{run.id}: no job file has it: delete {' and '.join(dict.fromkeys(cut))} and run again")


def _check_images(found: dict[str, Metrics], store: Store, files: ArtefactFiles) -> None:
    """Raises UserError for a record whose number of test images is not that of most records of the same images."""
    counts: dict[tuple, dict[str, int]] = defaultdict(dict)
    for run, metrics in found.items():
        for each in metrics.evaluations:
            counts[each.dataset, each.classes, each.data or metrics.fingerprint.data][run] = each.images
    for (dataset, classes, _), own in counts.items():
        ((usual, _),) = Counter(own.values()).most_common(1)
        for run, images in own.items():
            if images != usual:
                raise UserError(
                    f"{store.root / run / METRICS}: {images} test images of {dataset} ({classes}), other records have "
                    f"{usual}: {mend(run, files)}"
                )


def mend(run: str, files: ArtefactFiles) -> str:
    """What to delete so that a run is made again: its folder."""
    return f"delete {Path(files.store) / run} and run again"


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
    "tests": lambda _, one: one and one.numerics,
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


def artefact_files(folder: Path, suffix: str) -> list[Path]:
    """Of the tables and figures of a results folder, those with this suffix."""
    return [path for kind in ("table", "figure") for path in sorted(folder.glob(f"{kind}s/*/*{suffix}"))]


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
