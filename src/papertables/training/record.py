"""What the store keeps of a run: its fingerprint, known before torch is imported, and its metrics."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from papertables import NUMERICS
from papertables.attributes.sampling import Attributes, read_attributes
from papertables.backbones.catalog import backbone_with
from papertables.base.code import FOLDER
from papertables.base.files import file_digest
from papertables.methods.mapping_names import makes_mapping
from papertables.methods.table import METHODS, method_code
from papertables.results.metrics import CHANGED, Computed, Evaluation, Fingerprint, Metrics, RunCost
from papertables.results.searches import read_search
from papertables.results.store import Store
from papertables.specs.rules import TrainJob
from papertables.specs.spec import Combination, Numerics, RunSpec, digest

if TYPE_CHECKING:
    import torch

    from papertables.training.run import Run

LIBRARIES = ("torch", "torchvision", "open_clip_torch", "numpy", "pillow")
CODE = ("src", "workflow")  # what a commit stands for, below the project's folder


def texts_of(job: TrainJob) -> dict[str, Attributes]:
    """By source, the sentences that a job's runs draw from."""
    return {source: read_attributes(*map(Path, each.texts)) for source, each in job.sentences.items()}


def winners_of(job: TrainJob) -> dict[str, Combination]:
    """By run id, the attributes that a search found for it."""
    return {id: read_search(Path(path)).winner for id, path in job.searches.items()}


def fingerprints(
    job: TrainJob, texts: Mapping[str, Attributes], winners: Mapping[str, Combination], store: Store
) -> dict[str, Fingerprint]:
    """By run id. texts: by source; winners: by run id, of the searches. store: where the runs of teachers are."""
    frozen = job.frozen
    data, entry = frozen.prepared.digest, backbone_with(frozen.backbone, frozen.own_weights)
    towers = entry.check(Path(frozen.weights))
    sources = {source: text.digest for source, text in texts.items()}
    sources |= {id: digest(list(winner)) for id, winner in winners.items()}
    return {
        spec.id: Fingerprint(
            data=data_part(spec, data, frozen.template),
            backbone=towers,
            attributes=sources[spec.attributes] if spec.attributes else sources.get(spec.id),
            method=method_code(spec.method),
            numerics=NUMERICS,
            reading=entry.reading,
            passes="fast" if job.numerics == "fast" and makes_mapping(spec.options.get("mapping")) else None,
            teacher=spec.teacher and teacher_part(store.record(spec.teacher.id), store.learner(spec.teacher.id)),
        )
        for spec in job.runs
    }


def teacher_part(teacher: Metrics, learner: Path) -> str:
    """What a student depends on of its teacher: what that was trained from, and, in the file of its learner, what it
    learned. Raises FileNotFoundError where that is gone."""
    return digest([teacher.fingerprint.digest, file_digest(learner)])


def data_part(spec: RunSpec, data: str, template: str) -> str:
    """A part of a fingerprint. data: the digest of the data set's contents. The template belongs to the data of methods
    that read classes through it."""
    prompted = METHODS[spec.method].reads_template
    return hashlib.sha256(f"{data} {template}".encode()).hexdigest() if prompted else data


class Recorder:
    """Writes what the runs of a job come to into the store."""

    def __init__(self, store: Store, prints: Mapping[str, Fingerprint], device: "torch.device", numerics: Numerics):
        self.store, self.prints, self.device, self.numerics = store, prints, device, numerics

    def untrained(self, spec: RunSpec, evaluation: Evaluation, seconds: float) -> None:
        cost = self._cost(seconds, evaluation.images, 1)
        self.store.write(self._metrics(spec, "finished", evaluation, cost))

    def trained(self, spec: RunSpec, run: "Run", images: int, seconds: float, group_size: int) -> None:
        """images: that it was tested on. seconds: of the whole group."""
        from safetensors.torch import save

        from papertables.training.run import trained_values

        states = {"best": run.best_state, "last": run.last_state}
        tensors = {
            f"{when}.{name}": value.clone()  # the best state may be the last
            for when, state in states.items()
            for name, value in state.items()
        }
        own = {"dataset": spec.dataset, "classes": spec.target.classes}
        evaluation = Evaluation(**own, images=images, best=run.best, last=run.last, numerics=self.numerics)
        outcome = "diverged" if run.diverged else "finished"
        more = {"diverged": run.diverged, "curve": run.curve, "parameters": trained_values(run.learner)}
        metrics = self._metrics(spec, outcome, evaluation, self._cost(seconds, run.images, group_size), **more)
        self.store.write(metrics, save(tensors), run.kept_mappings())

    def _metrics(self, spec: RunSpec, outcome: str, evaluation: Evaluation, cost: RunCost, **more) -> Metrics:
        from papertables.base.device import computed_precision

        asked = spec.training.precision if spec.training else "fp32"
        return Metrics(
            run=spec.id,
            spec=spec,
            fingerprint=self.prints[spec.id],
            outcome=outcome,
            evaluations=[evaluation],
            cost=cost,
            computed=Computed(
                precision=computed_precision(self.device, asked),
                device=self.device.type,
                tests=evaluation.numerics,
            ),
            versions=versions(),
            git_commit=git_commit(),
            **{"curve": [], "parameters": 0, **more},
        )

    def _cost(self, seconds: float, images: int, group_size: int) -> RunCost:
        from papertables.base.device import describe, peak_memory_mb

        return RunCost(
            seconds=seconds,
            images=images,
            images_per_second=images / seconds,
            peak_memory_mb=peak_memory_mb(self.device),
            group_size=group_size,
            device=describe(self.device),
        )


@cache
def versions() -> dict[str, str]:
    return {"python": sys.version.split()[0]} | {name: version(name) for name in LIBRARIES}


@cache
def git_commit() -> str | None:
    """The commit of the project that this module belongs to, the folder with the Snakefile, marked as changed where a
    tracked file of its code differs. None without one: no git, no repository, another one around the project's folder,
    or a package that is installed elsewhere."""
    root = FOLDER.parents[1]
    if not (root / "Snakefile").is_file():
        return None
    top = _git(root, "rev-parse", "--show-toplevel")
    commit = _git(root, "rev-parse", "HEAD")
    if not top or not commit or Path(top).resolve() != root.resolve():
        return None
    return commit if _git(root, "diff", "--name-only", "HEAD", "--", *CODE) == "" else commit + CHANGED


def _git(folder: Path, *command: str) -> str | None:
    """What git says in a folder, whatever repository the environment names; None where it says nothing."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", *command],
            cwd=folder,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.removesuffix("\n")
