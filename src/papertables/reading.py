"""A results folder in Python: ``papertables.open("results/mini")``."""

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pandas as pd

from papertables.artefacts.collect import artefact_files, runs_csv
from papertables.base.errors import UserError, did_you_mean, unknown
from papertables.base.seals import read_sealed
from papertables.planning.plan import Plan, make_plan
from papertables.results.format import check_format
from papertables.results.metrics import Metrics
from papertables.results.store import Store
from papertables.specs.config import Selection
from papertables.specs.spec import METRICS
from papertables.specs.validation import read_keys

if TYPE_CHECKING:
    from papertables.training.predict import Predictor


class Results:
    """What lies in a results folder, ``<project>/results/<scale>``. Nothing is written but features of
    frozen towers that a predictor finds gone.

    artefacts: a row for each that was made: id, kind, title, paper, venue. runs: a row for each run: its settings,
    cost and outcome. evaluations: a row for each run and what it was scored on, as ``runs.csv`` has them, accuracies in
    percent. store: all runs, as they lie there.
    """

    def __init__(self, folder: str | Path):
        """Raises UserError where there is no such folder, or one that a later papertables wrote."""
        self.folder = Path(folder)
        if not (self.folder / "runs").is_dir():
            raise UserError(f"{folder} holds no runs: name a results folder, such as results/mini")
        check_format(self.folder / "runs")
        self.store = Store(self.folder / "runs")

    @property
    def artefacts(self) -> pd.DataFrame:
        columns, files = ["id", "kind", "title", "paper", "venue"], artefact_files(self.folder, ".json")
        return pd.DataFrame([read_sealed(path) | {"kind": _kind(path)} for path in files], columns=columns)

    @property
    def runs(self) -> pd.DataFrame:
        return pd.json_normalize([_row(each) for each in self._metrics().values()])

    @property
    def evaluations(self) -> pd.DataFrame:
        return runs_csv(self._metrics())

    def artefact(self, id: str) -> pd.DataFrame:
        """The numbers of a table, a row for each cell, or those that a figure was drawn from."""
        files = {f"{path.parent.name}_{path.stem}": path for path in artefact_files(self.folder, ".csv")}
        if id not in files:
            made = f"made are {', '.join(files)}{did_you_mean(id, files)}" if files else "nothing is"
            make = f"papertables make {id} --scale {self.folder.absolute().name}"
            raise UserError(f"artefact '{id}' is not made here, {made}: take another, or {make}")
        return pd.read_csv(files[id])

    def run(self, id: str) -> "StoredRun":
        """By its id; raises UserError where there is none."""
        return StoredRun(self, self.store.record(id))

    def _metrics(self) -> dict[str, Metrics]:
        ids = (path.parent.relative_to(self.store.root) for path in self.store.root.glob(f"*/*/*/{METRICS}"))
        return {id: self.store.record(id) for id in sorted(map(Path.as_posix, ids))}


class StoredRun:
    """A run that was made. record: all that is kept of it, as ``metrics.json`` holds it."""

    def __init__(self, results: Results, record: Metrics):
        self.record, self._results = record, results

    @property
    def settings(self) -> dict:
        """What it was asked to be: method, options, data, training."""
        return self.record.spec.model_dump(mode="json", exclude_none=True)

    @property
    def curve(self) -> pd.DataFrame:
        """A row for each epoch: loss, rate, accuracies in percent."""
        return pd.DataFrame([epoch.model_dump() for epoch in self.record.curve])

    def predictor(self, selection: Selection = "best", device: str = "cpu") -> "Predictor":
        """Its learner after the best or the last epoch, ready for images. What it was trained from (weights, features,
        sentences) is looked up where the project has it. Raises UserError of another epoch, of a run without training,
        where the folder is in no project, and where nothing that is declared there has such a run."""
        if selection not in get_args(Selection):
            raise UserError(unknown("epoch", selection, get_args(Selection)))
        if self.record.spec.training is None:
            raise UserError(f"{self.record.run}: nothing was trained")
        plan = _plan(self._results.folder)
        if self.record.run not in plan.job_of:
            raise UserError(f"{self.record.run} is no run of the project's declarations as they are now")
        from papertables.training.predict import Predictor

        job = plan.inputs.train(plan.job_of[self.record.run])
        return Predictor(job, self.record.spec, self._results.store, selection, device)


def _kind(file: Path) -> str:
    """``table`` or ``figure``."""
    return file.parents[1].name.removesuffix("s")


def _row(metrics: Metrics) -> dict:
    spec = metrics.spec.model_dump(mode="json", exclude_none=True)
    cost = metrics.cost.model_dump()
    return {"run": metrics.run, **spec, "outcome": metrics.outcome, "parameters": metrics.parameters, "cost": cost}


def _plan(folder: Path) -> Plan:
    """Of the scale that a results folder is named after, in the project around it, with every artefact."""
    root = folder.absolute().parents[1]
    if not (root / "config.yaml").is_file():
        raise UserError(f"{folder} lies in no project, which a learner needs for its backbone")
    if root != Path.cwd():
        raise UserError(f"paths are those of the project: work in {root}")
    return make_plan(root, read_keys(root / "config.yaml") | {"scale": folder.name, "artefacts": "all"})
