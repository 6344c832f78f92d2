"""A training job: asks the store what is missing, before torch is imported, and makes only that."""

import sys
from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from papertables.attributes.sampling import Attributes, repeated
from papertables.backbones import checked_tower, load_tower
from papertables.backbones.catalog import backbone_with
from papertables.base.files import write_atomic
from papertables.base.locks import alone
from papertables.data import cache
from papertables.data.splits import Split, read_split, training_indices
from papertables.methods.table import METHODS
from papertables.results.metrics import Fingerprint
from papertables.results.store import Store
from papertables.specs.rules import TeacherFiles, Training, TrainJob
from papertables.specs.spec import Combination, RunSpec, agreeing, digest
from papertables.training.evaluate import TestSets, TransferTargets
from papertables.training.failures import Failures
from papertables.training.learners import make_learner, prompt_names, sampled_features
from papertables.training.record import Recorder, fingerprints, texts_of, winners_of

if TYPE_CHECKING:
    import numpy as np

    from papertables.backbones.classifier import FrozenClassifier
    from papertables.backbones.clip import FrozenClip
    from papertables.backbones.frozen_features import SentenceFeatures
    from papertables.methods.learner import BaseLearner
    from papertables.training.checkpoint import Checkpoint
    from papertables.training.loop import Trainer
    from papertables.training.run import Run
    from papertables.training.teacher import Teacher


def train_job(job: TrainJob, training: Training, output: Path, threads: int = 1) -> None:
    """Makes what is missing of the job's runs and writes ``output``: the metrics of each, a line per run, in their
    order. A trained run that only lacks a transfer target, or an exact test, is not trained again; one that diverges is
    recorded and fails nothing. A record that is not valid is named in the log and made again. Raises UserError at the
    end where runs failed; the others are made and kept."""
    store, transfer = Store(Path(training.store)), TransferTargets(job)
    texts, winners = texts_of(job), winners_of(job)
    prints = fingerprints(job, texts, winners, store)
    store.take_over(job.runs)
    for problem in store.unsound(job.runs):
        print(f"{problem}: it is made again", file=sys.stderr)
    missing = store.missing(job.runs, prints, training.retrain, job.tests)
    print(f"{len(job.runs)} runs, {len(missing)} to make", file=sys.stderr)
    wanted = {spec.id for spec in missing}
    unscored = [spec for spec in job.runs if spec.id not in wanted and transfer.missing(store.read(spec.id))]
    if missing or unscored:
        work = _Work(job, training, store, texts, winners, prints, threads)
        work.score_untrained([spec for spec in missing if not spec.training])
        work.train([spec for spec in missing if spec.training])
        work.score_transfer(unscored)
        work.failures.tell([*missing, *unscored])
    write_atomic(output, "".join(store.line(spec.id) for spec in job.runs).encode())


class _Work:
    """What the runs of a job share once there is something to make; torch is imported here."""

    def __init__(
        self,
        job: TrainJob,
        training: Training,
        store: Store,
        texts: Mapping[str, Attributes],
        winners: Mapping[str, Combination],
        prints: Mapping[str, Fingerprint],
        threads: int,
    ):
        import torch

        from papertables.base.device import computed_numerics, make_deterministic, pick_device

        torch.set_num_threads(threads)
        self.device = pick_device(training.device)
        make_deterministic(self.device)
        self.job, self.training, self.store = job, training, store
        self.numerics = computed_numerics(self.device, job.numerics)
        exact = {"passes": None} if self.numerics == "published" else {}
        self.texts, self.winners = texts, winners
        self.prints = {id: each.model_copy(update=exact) for id, each in prints.items()}
        self.split = read_split(job.frozen.prepared.checked_split)
        self.test_sets, self.transfer = TestSets(job, lambda: self.tower), TransferTargets(job)
        self.recorder = Recorder(store, self.prints, self.device, self.numerics)
        self.failures = Failures()
        self.teachers: dict[str, Teacher] = {}  # by run id
        self.towers: dict[str, FrozenClip] = {}  # of teachers, by backbone
        for line in self._repeated():
            print(line, file=sys.stderr)

    @cached_property
    def tower(self) -> "FrozenClip | FrozenClassifier":
        frozen = self.job.frozen
        entry = backbone_with(frozen.backbone, frozen.own_weights)  # the file was checked for the fingerprints
        return load_tower(entry, Path(frozen.weights), self.device)

    def teacher(self, files: TeacherFiles) -> "Teacher":
        """Made once for all its students, on one tower with others of its backbone."""
        from papertables.training.teacher import make_teacher

        if files.run.id not in self.teachers:
            kept = files.frozen
            if kept.backbone not in self.towers:
                self.towers[kept.backbone] = checked_tower(kept, self.device)
            self.teachers[files.run.id] = make_teacher(files, self.store, self.towers[kept.backbone])
        return self.teachers[files.run.id]

    @cached_property
    def sentence_features(self) -> "dict[str, SentenceFeatures]":
        """By source, each read once for all runs."""
        from papertables.backbones.frozen_features import sentence_features

        return {source: sentence_features(each, lambda: self.tower) for source, each in self.job.sentences.items()}

    def learner(self, spec: RunSpec, attributes: Combination = ()) -> "BaseLearner":
        """attributes: that prompts name in place of the run's own."""
        sentences = {}
        if spec.attributes:
            known = self.sentence_features[spec.attributes]
            sentences = sampled_features(spec, self.split, self.texts[spec.attributes], known)
        tower = self.tower if METHODS[spec.method].needs_tower else None
        teacher = self.teacher(self.job.teachers[spec.id]) if spec.teacher else None
        winner = attributes or self.winners.get(spec.id, ())
        return make_learner(spec, self.test_sets.frozen, sentences, tower, winner, teacher)

    def _repeated(self) -> list[str]:
        """A line for every file of sentences in which classes have fewer than the runs draw."""
        drawn = {(run.attributes, run.options["m"]) for run in self.job.runs if run.attributes}
        files = [(file, m) for source, m in sorted(drawn) for file in self.texts[source].files]
        lines = (repeated(file, self.split.class_names, m) for file, m in files)
        return [line for line in lines if line]

    def score_untrained(self, specs: Sequence[RunSpec]) -> None:
        from papertables.base.device import forget_peak

        for spec in specs:
            with self.failures.noted([spec]):
                learner = self.learner(spec)
                forget_peak(self.device)
                self.recorder.untrained(spec, *self.test_sets.score_untrained(spec, learner))

    def train(self, missing: Sequence[RunSpec]) -> None:
        """Group by group. A group's checkpoint is named after all runs of the job that agree with it, so that a job
        killed while it was writing results goes on with the same group. Of one that fails each run is trained alone, so
        that only what breaks it is lost."""
        wanted = {spec.id for spec in missing}
        for group in groups_of(self.job, self.split).values():
            if not wanted.intersection(spec.id for spec in group):
                continue
            checkpoint = checkpoint_of(Path(self.training.checkpoints), group)
            with alone(checkpoint, "trains these runs"):  # what another made meanwhile stays
                todo = self.store.missing(group, self.prints, self.training.retrain, self.job.tests)
                self._attempt(group, todo)
                failed = [spec for spec in todo if spec.id in self.failures.by_run]
                for spec in failed if len(todo) > 1 else ():
                    self._attempt([spec], [spec])

    def _attempt(self, group: Sequence[RunSpec], todo: Sequence[RunSpec]) -> None:
        """Trains what is wanted of a group."""
        from papertables.training.checkpoint import Checkpoint

        path, seconds = checkpoint_of(Path(self.training.checkpoints), group), self.training.checkpoint_seconds
        whole, partial = (Checkpoint(path, self._digests(specs), seconds) for specs in (group, todo))
        with self.failures.noted(todo):
            if whole.read() is not None:
                self._train_group(group, whole)
            elif todo:
                self._train_group(todo, partial)

    def _digests(self, specs: Sequence[RunSpec]) -> dict[str, str]:
        return {spec.id: self._digest(spec) for spec in specs}

    def _digest(self, spec: RunSpec) -> str:
        fast = [self.numerics] if self.numerics != "published" else []
        fingerprint = self.prints[spec.id].model_dump(exclude_defaults=True)
        return digest([fingerprint, spec.skips, self.job.every(spec.id), *fast])

    def _train_group(self, specs: Sequence[RunSpec], checkpoint: "Checkpoint") -> None:
        from papertables.base.device import forget_peak

        first = specs[0]
        train = cache.read(Path(self.job.caches[first.train_cache]))
        test = self.test_sets.make(first, first.target)
        names = prompt_names(self.test_sets.frozen.class_names, first.trained_classes)
        runs = [self._run(spec, train.rows(training_indices(self.split, spec)), names) for spec in specs]
        title = f"{first.dataset} {first.backbone} {first.image_size} px"
        forget_peak(self.device)  # that of features, and of groups before
        seconds = self._trainer(first, runs).train(train, test, checkpoint, title, self.job.every(first.id))
        for spec, run in zip(specs, runs, strict=True):
            self.recorder.trained(spec, run, len(test), seconds, len(runs))
        alive = [spec for spec, run in zip(specs, runs, strict=True) if not run.diverged]
        with self.failures.noted(alive):  # it is trained, whatever becomes of this
            self._score_group(alive)
        checkpoint.delete()

    def _run(
        self, spec: RunSpec, rows: "np.ndarray | None", names: tuple[str, ...], attributes: Combination = ()
    ) -> "Run":
        from papertables.training.run import Run

        about = {"mapping_pass": spec.fidelity.first_mapping_pass, "names": names, "skips": spec.skips}
        return Run(spec.id, self.learner(spec, attributes), spec.training, spec.seed, rows, **about)

    def _trainer(self, first: RunSpec, runs: "Sequence[Run]") -> "Trainer":
        from papertables.training.loop import FAST, Trainer

        batch_size, augmentation = first.training.batch_size_for(first.shots), first.images.augmentation
        given = (runs, self.tower, self.device, first.image_size, batch_size, augmentation)
        return Trainer(*given, fast=FAST if self.numerics == "fast" else None)

    def score_transfer(self, specs: Sequence[RunSpec]) -> None:
        """Trained runs on what they have yet to be scored on."""
        wanted = {spec.id for spec in specs}
        for group in groups_of(self.job, self.split).values():
            todo = [spec for spec in group if spec.id in wanted]
            with self.failures.noted(todo):
                self._score_group(todo)

    def _score_group(self, specs: Sequence[RunSpec]) -> None:
        """Each target with all runs that lack it at once, from the learners that the store keeps."""
        found = {spec.id: self.store.read(spec.id) for spec in specs}
        targets = {id: self.transfer.missing(metrics) for id, metrics in found.items()}
        for target in dict.fromkeys(each for own in targets.values() for each in own):
            todo = [spec for spec in specs if target in targets[spec.id]]
            test = self.test_sets.make(todo[0], target)
            names = prompt_names(self.test_sets.frozen.class_names, todo[0].trained_classes)
            runs = [self._run(spec, None, names, target.attributes) for spec in todo]
            tested = [found[spec.id].scored(spec.target) for spec in todo]
            trainer, accuracies = self._trainer(todo[0], runs), {}
            for when in ("last", "best"):
                if when == "best" and all(own.best.epoch == own.last.epoch for own in tested):
                    continue
                for run in runs:
                    # with other attributes, contexts go by their place, and one that was not trained stays as drawn
                    run.learner.load_state_dict(self.store.state(run.id, when), strict=not target.attributes)
                accuracies[when] = trainer.accuracies(runs, test)
            last = accuracies["last"]
            for spec, *scores in zip(todo, accuracies.get("best", last), last, strict=True):
                found[spec.id] = self.transfer.scored(found[spec.id], target, len(test), self.numerics, *scores)
        for id, metrics in found.items():
            if targets[id]:
                self.store.write(metrics)


def groups_of(job: TrainJob, split: Split) -> dict[Hashable, list[RunSpec]]:
    """The trained ones of a job's runs by what those trained together must agree in."""
    groups: dict[Hashable, list[RunSpec]] = {}
    for spec in job.runs:
        if spec.training:
            key = agreeing(spec, job.every(spec.id), len(training_indices(split, spec)))
            groups.setdefault(key, []).append(spec)
    return groups


def checkpoint_of(folder: Path, group: Sequence[RunSpec]) -> Path:
    """Where a group's checkpoint lies."""
    return folder / f"{digest([spec.id for spec in group])}.pt"
