"""Which runs of a store are what a training would make today, as far as the files that are there can tell."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from papertables import NUMERICS
from papertables.attributes.sampling import read_attributes
from papertables.backbones.catalog import backbone_with
from papertables.base.files import file_digest
from papertables.methods.table import method_code
from papertables.results.metrics import Metrics
from papertables.results.searches import read_search
from papertables.results.store import Store, same_numbers
from papertables.specs.manifests import read_manifest
from papertables.specs.rules import TrainJob
from papertables.specs.spec import RunSpec, digest
from papertables.training.record import data_part, teacher_part


class Present:
    """What is there of the runs of some jobs. A part of a fingerprint whose files are elsewhere, as on a machine that
    only shows what another one made, is taken as recorded."""

    def __init__(self, jobs: Iterable[TrainJob], store: Store):
        self.jobs = {run.id: (job, run) for job in jobs for run in job.runs}
        self.manifest, self.weights, self.texts = cache(_manifest), cache(_weights), cache(_texts)  # each read once
        self.store = store

    def of(self, id: str, metrics: Metrics) -> Metrics | None:
        """What the store has of a run, with those evaluations alone that are on present data; None where the run would
        be made anew."""
        job, run = self.jobs[id]
        recorded = metrics.fingerprint
        now = recorded.model_copy(update=self._parts(job, run))
        enough = metrics.has_tests(job.every(id))
        if not (metrics.is_of(run) and enough and same_numbers(recorded, now)):
            return None
        data = {name: self.manifest(each.prepared.manifest) for name, each in job.transfer.frozen.items()}
        kept = [each for each in metrics.evaluations if data.get(each.dataset) in (None, each.data)]
        return metrics.model_copy(update={"evaluations": kept})

    def _parts(self, job: TrainJob, run: RunSpec) -> dict[str, str | int | None]:
        """Those parts of a run's fingerprint that can be told."""
        frozen = job.frozen
        data, entry = self.manifest(frozen.prepared.manifest), backbone_with(frozen.backbone, frozen.own_weights)
        known = {
            "data": data and data_part(run, data, frozen.template),
            "backbone": self.weights(frozen.weights) if entry.own or entry.shipped else entry.sha256,
            "attributes": self._attributes(job, run),
            "method": method_code(run.method),
            "teacher": run.teacher and self._teacher(run.teacher.id),
        }
        told = {name: part for name, part in known.items() if part is not None}
        passes = {"passes": None} if job.numerics == "published" else {}
        return told | {"numerics": NUMERICS, "reading": entry.reading} | passes

    def _teacher(self, id: str) -> str | None:
        """Of a teacher that is itself not present it is one that no student has learned from."""
        found, learner = self.store.read(id), self.store.learner(id)
        if found is None or not learner.is_file():
            return None
        present = id not in self.jobs or self.of(id, found)
        return teacher_part(found, learner) if present else "0"

    def _attributes(self, job: TrainJob, run: RunSpec) -> str | None:
        if run.attributes:
            return self.texts(job.sentences[run.attributes].texts)
        search = job.searches.get(run.id)
        return digest(list(read_search(Path(search)).winner)) if search and Path(search).is_file() else None


def _manifest(path: str) -> str | None:
    return read_manifest(Path(path))["digest"] if Path(path).is_file() else None


def _weights(path: str) -> str | None:
    return file_digest(Path(path)) if Path(path).is_file() else None


def _texts(paths: tuple[str, str]) -> str | None:
    return read_attributes(*map(Path, paths)).digest if all(Path(path).is_file() for path in paths) else None
