"""A job: asks the store what is missing, before torch is imported, and makes only that."""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache as remember
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from papertables import NUMERICS
from papertables.attributes.sampling import Attributes, read_attributes
from papertables.backbones.catalog import backbone as catalog_entry
from papertables.data import cache
from papertables.data.splits import Split, chosen_labels, read_split, training_indices
from papertables.files import write_atomic
from papertables.methods import METHODS, method_code
from papertables.results.metrics import Computed, Cost, Evaluation, Fingerprint, Metrics, Score
from papertables.results.searches import Combination, read_search
from papertables.results.store import Store
from papertables.spec import CacheKey, RunSpec, Target, digest
from papertables.training.learners import make_learner, prompt_names, sampled_sentences

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from papertables.backbones.classifier import FrozenClassifier
    from papertables.backbones.clip import FrozenClip
    from papertables.backbones.frozen_features import Encoded
    from papertables.training.loop import TestSet, Trainer
    from papertables.training.run import Run

LIBRARIES = ("torch", "torchvision", "open_clip_torch", "numpy", "pillow")
IMAGES_PER_CALL = 1024  # of encoded images: attributes of many classes times these must fit
Caches = Mapping[CacheKey, Path]


@dataclass(frozen=True)
class Elsewhere:
    """What else runs are scored on. targets: by run id. encoded: of each data set, the job's own too, what ``encode``
    wrote; manifests: of the others; images: of some others, the cache of their test part."""

    targets: Mapping[str, Sequence[Target]]
    encoded: Mapping[str, Path]
    manifests: Mapping[str, Path]
    images: Mapping[str, Path]

    def data(self, target: Target) -> str | None:
        """The contents of a data set that is not the job's own."""
        manifest = self.manifests.get(target.dataset)
        return json.loads(manifest.read_text())["digest"] if manifest else None

    def missing(self, metrics: Metrics) -> list[Target]:
        """On what a finished run has yet to be scored."""
        if metrics.outcome == "diverged":
            return []
        known = {(each.target, each.data) for each in metrics.evaluations}
        return [each for each in self.targets.get(metrics.run, ()) if (each, self.data(each)) not in known]


def train_job(
    specs: Sequence[RunSpec],
    output: Path,
    *,
    runs: Path,
    dataset: Path,
    caches: Caches,
    encoded: Path,
    backbone: str,
    weights: Path,
    attributes: Mapping[str, tuple[Path, Path]],
    template: str,
    checkpoints: Path,
    device: str = "cpu",
    threads: int = 1,
    retrain: str | None = None,
    checkpoint_seconds: float = 5.0,
    elsewhere: Elsewhere = Elsewhere({}, {}, {}, {}),
    searched: Mapping[str, Path] = MappingProxyType({}),
) -> None:
    """Makes what is missing of the runs and writes ``output``: the metrics of each, a line per run, in
    their order.

    specs: of one data set and backbone. runs: the store. dataset: folder with ``split.json`` and
    ``manifest.json``. encoded: what ``encode`` wrote. attributes: source to its descriptive and
    distinctive files. template: of the class prompts. retrain: a pattern over run ids. elsewhere: what
    runs are scored on once they are trained; one that lacks only this is not trained again. searched: by
    run id, the file of the search whose winner are its attributes. A run that diverges is recorded and
    fails nothing.
    """
    store, split = Store(runs), read_split(dataset / "split.json")
    texts = {source: read_attributes(*files) for source, files in attributes.items()}
    winners = {id: read_search(path).winner for id, path in searched.items()}
    fingerprints = _fingerprints(specs, dataset, weights, texts, template, winners)
    missing = store.missing(specs, fingerprints, retrain)
    print(f"{len(specs)} runs, {len(missing)} to make", file=sys.stderr)
    wanted = {spec.id for spec in missing}
    unscored = [spec for spec in specs if spec.id not in wanted and elsewhere.missing(store.read(spec.id))]
    if missing or unscored:
        sources = (split, texts, winners, fingerprints, caches, encoded, elsewhere)
        job = _Job(specs, store, *sources, backbone, weights, device, threads)
        job.score_untrained([spec for spec in missing if not spec.training])
        job.train([spec for spec in missing if spec.training], checkpoints, checkpoint_seconds)
        job.score_elsewhere(unscored)
    write_atomic(output, "".join(store.line(spec.id) for spec in specs).encode())


def _fingerprints(
    specs: Sequence[RunSpec],
    dataset: Path,
    weights: Path,
    texts: Mapping[str, Attributes],
    template: str,
    winners: Mapping[str, Combination],
) -> dict[str, Fingerprint]:
    """By run id. The template belongs to the data of methods that read classes through it."""
    data = json.loads((dataset / "manifest.json").read_text())["digest"]
    with weights.open("rb") as file:
        towers = hashlib.file_digest(file, "sha256").hexdigest()
    sources = {source: text.digest for source, text in texts.items()}
    sources |= {id: digest(list(winner)) for id, winner in winners.items()}
    prompted = hashlib.sha256(f"{data} {template}".encode()).hexdigest()
    return {
        spec.id: Fingerprint(
            data=prompted if METHODS[spec.method].reads_template else data,
            backbone=towers,
            attributes=sources[spec.attributes] if spec.attributes else sources.get(spec.id),
            method=method_code(spec.method),
            numerics=NUMERICS,
        )
        for spec in specs
    }


class _Job:
    """What the runs of a job share once there is something to make; torch is imported here."""

    def __init__(
        self,
        specs: Sequence[RunSpec],
        store: Store,
        split: Split,
        texts: Mapping[str, Attributes],
        winners: Mapping[str, Combination],
        fingerprints: Mapping[str, Fingerprint],
        caches: Caches,
        encoded: Path,
        elsewhere: Elsewhere,
        backbone: str,
        weights: Path,
        device: str,
        threads: int,
    ):
        import torch

        from papertables.backbones import frozen_features as encode
        from papertables.device import make_deterministic, pick_device

        torch.set_num_threads(threads)
        self.device = pick_device(device)
        make_deterministic(self.device)
        self.specs, self.store, self.split, self.texts = specs, store, split, texts
        self.winners, self.fingerprints, self.caches, self.elsewhere = winners, fingerprints, caches, elsewhere
        self.backbone, self.weights, entry = backbone, weights, catalog_entry(backbone)
        self.plain = CacheKey("test", entry.fit, entry.image_size)  # of the encoded images
        self.encoded: Encoded = encode.read(encoded)

    @cached_property
    def tower(self) -> "FrozenClip | FrozenClassifier":
        from papertables.backbones import load_tower

        return load_tower(catalog_entry(self.backbone), self.weights, self.device)

    def learner(self, spec: RunSpec) -> "nn.Module":
        sentences = sampled_sentences(spec, self.split, self.texts[spec.attributes]) if spec.attributes else {}
        tower = self.tower if METHODS[spec.method].needs_tower else None
        return make_learner(spec, self.encoded, sentences, tower, self.winners.get(spec.id, ()))

    def score_untrained(self, specs: Sequence[RunSpec]) -> None:
        """From the encoded test images: epoch 0, no curve."""
        import torch

        images, labels = self.encoded.images, self.encoded.labels
        for spec in specs:
            began = time.perf_counter()
            logits = self.learner(spec).logits
            with torch.inference_mode():
                parts = zip(images.split(IMAGES_PER_CALL), labels.split(IMAGES_PER_CALL), strict=True)
                hits = sum((logits(part).argmax(-1) == own).sum().item() for part, own in parts)
            score = Score(epoch=0, accuracy=100 * hits / len(labels))
            evaluation = Evaluation(dataset=spec.dataset, images=len(labels), best=score, last=score)
            cost = self._cost(time.perf_counter() - began, len(labels), 1)
            self.store.write(self._metrics(spec, "finished", evaluation, cost))

    def train(self, missing: Sequence[RunSpec], checkpoints: Path, seconds: float) -> None:
        """Group by group. A group's checkpoint is named after all runs of the job that agree with it, so
        that a job killed while it was writing results goes on with the same group."""
        if not missing:
            return
        from papertables.training.checkpoint import Checkpoint

        wanted = {spec.id for spec in missing}
        for group in self._groups().values():
            todo = [spec for spec in group if spec.id in wanted]
            if not todo:
                continue
            path = checkpoints / f"{digest([spec.id for spec in group])}.pt"
            whole = Checkpoint(path, self._digests(group), seconds)
            partial = Checkpoint(path, self._digests(todo), seconds)
            use_whole = whole.read() is not None
            self._train_group(group if use_whole else todo, whole if use_whole else partial)

    def _groups(self) -> dict[tuple, list[RunSpec]]:
        """The trained runs of the job by what those trained together must agree in."""
        groups: dict[tuple, list[RunSpec]] = {}
        for spec in self.specs:
            if spec.training:
                t = spec.training
                size = len(training_indices(self.split, spec))
                key = (spec.image_size, spec.images, t.batch_size_for(spec.shots), t.epochs, t.evaluate_every)
                groups.setdefault((*key, t.precision, t.drop_last, size), []).append(spec)
        return groups

    def _digests(self, specs: Sequence[RunSpec]) -> dict[str, str]:
        return {spec.id: digest(self.fingerprints[spec.id].model_dump()) for spec in specs}

    def _train_group(self, specs: Sequence[RunSpec], checkpoint) -> None:
        first = specs[0]
        train, test = cache.read(self.caches[first.train_cache]), self._test_set(first, first.target)
        runs = [self._run(spec, train.rows(training_indices(self.split, spec)), test.names) for spec in specs]
        trainer = self._trainer(first, runs)
        title = f"{first.dataset} {self.backbone} {first.image_size} px"
        seconds = trainer.train(train, test, checkpoint, title)
        for spec, run in zip(specs, runs, strict=True):
            self._write(spec, run, len(test), self._cost(seconds, run.images, len(runs)))
        self._score_group([spec for spec, run in zip(specs, runs, strict=True) if not run.diverged])
        checkpoint.delete()

    def _run(self, spec: RunSpec, rows: "np.ndarray", names: tuple[str, ...]) -> "Run":
        from papertables.training.run import Run

        mode = spec.fidelity.first_mapping_pass
        return Run(spec.id, self.learner(spec), spec.training, spec.seed, rows, mapping_pass=mode, names=names)

    def _trainer(self, first: RunSpec, runs: "Sequence[Run]") -> "Trainer":
        from papertables.training.loop import Trainer

        batch_size, augmentation = first.training.batch_size_for(first.shots), first.images.augmentation
        return Trainer(runs, self.tower, self.device, first.image_size, batch_size, augmentation)

    def _test_set(self, spec: RunSpec, target: Target) -> "TestSet":
        """What a run is scored on; images where there is a cache of them."""
        import numpy as np
        import torch

        from papertables.backbones import frozen_features as encode
        from papertables.training.loop import TestSet

        own = target.dataset == spec.dataset
        encoded = self.encoded if own else encode.read(self.elsewhere.encoded[target.dataset])
        path = self.caches[spec.test_cache] if own else self.elsewhere.images.get(target.dataset)
        known, labels = encoded.class_names, encoded.labels.numpy()
        chosen = chosen_labels(len(known), target.classes)
        rows = np.flatnonzero((labels >= chosen.start) & (labels < chosen.stop))
        return TestSet(
            labels=labels[rows] - chosen.start,
            images=cache.read(path) if path else None,
            rows=rows,
            names=prompt_names(known, target.classes),
            features=encoded.images[torch.from_numpy(rows)] if spec.test_cache == self.plain else None,
        )

    def score_elsewhere(self, specs: Sequence[RunSpec]) -> None:
        """Trained runs on what they have yet to be scored on."""
        wanted = {spec.id for spec in specs}
        for group in self._groups().values():
            self._score_group([spec for spec in group if spec.id in wanted])

    def _score_group(self, specs: Sequence[RunSpec]) -> None:
        """Each target with all runs that lack it at once, from the learners that the store keeps."""
        from papertables.training.run import Run

        found = {spec.id: self.store.read(spec.id) for spec in specs}
        targets = {id: self.elsewhere.missing(metrics) for id, metrics in found.items()}
        for target in dict.fromkeys(each for own in targets.values() for each in own):
            todo = [spec for spec in specs if target in targets[spec.id]]
            test = self._test_set(todo[0], target)
            tested = [found[spec.id].scored(spec.target) for spec in todo]
            names = self._test_set(todo[0], todo[0].target).names
            runs: list[Run] = [self._run(spec, None, names) for spec in todo]
            trainer, scores = self._trainer(todo[0], runs), {}
            for when in ("last", "best"):
                if when == "best" and all(own.best.epoch == own.last.epoch for own in tested):
                    continue
                for run in runs:
                    run.learner.load_state_dict(self.store.state(run.id, when))
                scores[when] = trainer.accuracies(runs, test)
            scores = {"best": scores["last"], **scores}
            for spec, own, best, last in zip(todo, tested, scores["best"], scores["last"], strict=True):
                evaluation = Evaluation(
                    dataset=target.dataset,
                    classes=target.classes,
                    data=self.elsewhere.data(target),
                    images=len(test),
                    best=own.best.model_copy(update={"accuracy": best}),
                    last=own.last.model_copy(update={"accuracy": last}),
                )
                kept = [each for each in found[spec.id].evaluations if each.target != target]
                found[spec.id] = found[spec.id].model_copy(update={"evaluations": [*kept, evaluation]})
        for id, metrics in found.items():
            if targets[id]:
                self.store.write(metrics)

    def _write(self, spec: RunSpec, run: "Run", images: int, cost: Cost) -> None:
        from safetensors.torch import save

        from papertables.training.run import trained_values

        states = {"best": run.best_state, "last": run.last_state}
        tensors = {
            f"{when}.{name}": value.clone()  # the best state may be the last
            for when, state in states.items()
            for name, value in state.items()
        }
        own = {"dataset": spec.dataset, "classes": spec.trained_classes}
        evaluation = Evaluation(**own, images=images, best=run.best, last=run.last)
        outcome = "diverged" if run.diverged else "finished"
        more = {"diverged": run.diverged, "curve": run.curve, "parameters": trained_values(run.learner)}
        mappings = run.mappings.file() if run.mappings.epochs else None
        self.store.write(self._metrics(spec, outcome, evaluation, cost, **more), save(tensors), mappings)

    def _metrics(self, spec: RunSpec, outcome: str, evaluation: Evaluation, cost: Cost, **more) -> Metrics:
        from papertables.device import computed_precision

        asked = spec.training.precision if spec.training else "fp32"
        return Metrics(
            run=spec.id,
            spec=spec,
            fingerprint=self.fingerprints[spec.id],
            outcome=outcome,
            evaluations=[evaluation],
            cost=cost,
            computed=Computed(precision=computed_precision(self.device, asked), device=self.device.type),
            versions=versions(),
            git_commit=git_commit(),
            **{"curve": [], "parameters": 0, **more},
        )

    def _cost(self, seconds: float, images: int, group_size: int) -> Cost:
        from papertables.device import describe, peak_memory_mb

        return Cost(
            seconds=seconds,
            images=images,
            images_per_second=images / seconds,
            peak_memory_mb=peak_memory_mb(self.device),
            group_size=group_size,
            device=describe(self.device),
        )


@remember
def versions() -> dict[str, str]:
    return {"python": sys.version.split()[0]} | {name: version(name) for name in LIBRARIES}


@remember
def git_commit() -> str | None:
    """Of the checkout that this module lies in."""
    command = ["git", "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
