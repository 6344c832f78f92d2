"""A job: asks the store what is missing, before torch is imported, and makes only that."""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache as remember
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from papertables import NUMERICS
from papertables.attributes.sampling import Attributes, read_attributes, sample
from papertables.backbones.catalog import backbone as catalog_entry
from papertables.data import cache
from papertables.data.splits import Split, attribute_stream, read_split, training_indices
from papertables.files import write_atomic
from papertables.methods import METHODS, build, method_code
from papertables.metrics import Cost, Evaluation, Fingerprint, Metrics, Score
from papertables.spec import CacheKey, RunSpec, digest
from papertables.store import Store

if TYPE_CHECKING:
    from torch import nn

    from papertables.encode import Encoded
    from papertables.training import Run

LIBRARIES = ("torch", "torchvision", "open_clip_torch", "numpy", "pillow")
IMAGES_PER_CALL = 1024  # of encoded images: attributes of many classes times these must fit
Caches = Mapping[CacheKey, Path]


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
) -> None:
    """Makes what is missing of the runs and writes ``output``: the metrics of each, a line per run, in
    their order.

    specs: of one data set and backbone. runs: the store. dataset: folder with ``split.json`` and
    ``manifest.json``. encoded: what ``encode`` wrote. attributes: source to its descriptive and
    distinctive files. template: of the class prompts. retrain: a pattern over run ids. A run that diverges
    is recorded and fails nothing.
    """
    store, split = Store(runs), read_split(dataset / "split.json")
    texts = {source: read_attributes(*files) for source, files in attributes.items()}
    fingerprints = _fingerprints(specs, dataset, weights, texts, template)
    missing = store.missing(specs, fingerprints, retrain)
    print(f"{len(specs)} runs, {len(missing)} to make", file=sys.stderr)
    if missing:
        job = _Job(specs, store, split, texts, fingerprints, caches, encoded, backbone, weights, device, threads)
        job.score_untrained([spec for spec in missing if not spec.training])
        job.train([spec for spec in missing if spec.training], checkpoints, checkpoint_seconds)
    write_atomic(output, "".join(store.line(spec.id) for spec in specs).encode())


def _fingerprints(
    specs: Sequence[RunSpec], dataset: Path, weights: Path, texts: Mapping[str, Attributes], template: str
) -> dict[str, Fingerprint]:
    """By run id. The template belongs to the data of methods that read classes through it."""
    data = json.loads((dataset / "manifest.json").read_text())["digest"]
    with weights.open("rb") as file:
        towers = hashlib.file_digest(file, "sha256").hexdigest()
    sources = {source: text.digest for source, text in texts.items()}
    prompted = hashlib.sha256(f"{data} {template}".encode()).hexdigest()
    return {
        spec.id: Fingerprint(
            data=prompted if METHODS[spec.method].reads_template else data,
            backbone=towers,
            attributes=sources[spec.attributes] if spec.attributes else None,
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
        fingerprints: Mapping[str, Fingerprint],
        caches: Caches,
        encoded: Path,
        backbone: str,
        weights: Path,
        device: str,
        threads: int,
    ):
        import torch

        from papertables import encode
        from papertables.device import make_deterministic, pick_device

        torch.set_num_threads(threads)
        self.device = pick_device(device)
        make_deterministic(self.device)
        self.specs, self.store, self.split, self.texts = specs, store, split, texts
        self.fingerprints, self.caches = fingerprints, caches
        self.backbone, self.weights = backbone, weights
        self.encoded: Encoded = encode.read(encoded)

    def learner(self, spec: RunSpec, tower: "nn.Module | None" = None) -> "nn.Module":
        sentences = sampled_sentences(spec, self.split, self.texts[spec.attributes]) if spec.attributes else {}
        return make_learner(spec, self.encoded, sentences, tower)

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
        from papertables.backbones import load_tower
        from papertables.training import Checkpoint

        tower = load_tower(catalog_entry(self.backbone), self.weights, self.device)
        wanted = {spec.id for spec in missing}
        for group in self._groups().values():
            todo = [spec for spec in group if spec.id in wanted]
            if not todo:
                continue
            path = checkpoints / f"{digest([spec.id for spec in group])}.pt"
            whole = Checkpoint(path, self._digests(group), seconds)
            partial = Checkpoint(path, self._digests(todo), seconds)
            use_whole = whole.read() is not None
            self._train_group(group if use_whole else todo, tower, whole if use_whole else partial)

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

    def _train_group(self, specs: Sequence[RunSpec], tower, checkpoint) -> None:
        from papertables.training import Run, Trainer

        first = specs[0]
        train, test = (cache.read(self.caches[key]) for key in (first.train_cache, first.test_cache))
        runs = []
        for spec in specs:
            rows = train.rows(training_indices(self.split, spec))
            learner, mode = self.learner(spec, tower.model), spec.fidelity.first_mapping_pass
            runs.append(Run(spec.id, learner, spec.training, spec.seed, rows, mapping_pass=mode))
        batch_size, augmentation = first.training.batch_size_for(first.shots), first.images.augmentation
        trainer = Trainer(runs, tower.encode_image, self.device, first.image_size, batch_size, augmentation)
        title = f"{first.dataset} {self.backbone} {first.image_size} px"
        seconds = trainer.train(train, test, checkpoint, title)
        for spec, run in zip(specs, runs, strict=True):
            self._write(spec, run, len(test), self._cost(seconds, run.images, len(runs)))
        checkpoint.delete()

    def _write(self, spec: RunSpec, run: "Run", images: int, cost: Cost) -> None:
        from safetensors.torch import save

        from papertables.training import trained_values

        states = {"best": run.best_state, "last": run.last_state}
        tensors = {
            f"{when}.{name}": value.clone()  # the best state may be the last
            for when, state in states.items()
            for name, value in state.items()
        }
        evaluation = Evaluation(dataset=spec.dataset, images=images, best=run.best, last=run.last)
        outcome = "diverged" if run.diverged else "finished"
        more = {"diverged": run.diverged, "curve": run.curve, "parameters": trained_values(run.learner)}
        mappings = run.mappings.file() if run.mappings.epochs else None
        self.store.write(self._metrics(spec, outcome, evaluation, cost, **more), save(tensors), mappings)

    def _metrics(self, spec: RunSpec, outcome: str, evaluation: Evaluation, cost: Cost, **more) -> Metrics:
        return Metrics(
            run=spec.id,
            spec=spec,
            fingerprint=self.fingerprints[spec.id],
            outcome=outcome,
            evaluations=[evaluation],
            cost=cost,
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


def sampled_sentences(spec: RunSpec, split: Split, text: Attributes) -> dict[str, list[list[str]]]:
    """The run's m sentences of each class, ``descriptive`` and ``distinctive``: (C, m) each, from one stream."""
    stream, names = attribute_stream(spec, split), split.class_names
    m, rule = spec.options["m"], spec.fidelity.attribute_sampling
    descriptive = sample(text.descriptive, names, m, stream, rule)
    return {"descriptive": descriptive, "distinctive": sample(text.distinctive, names, m, stream, rule)}


def make_learner(
    spec: RunSpec,
    encoded: "Encoded",
    sentences: Mapping[str, list[list[str]]],
    tower: "nn.Module | None" = None,
) -> "nn.Module":
    """The run's learner before training; ``sentences`` are empty where its method reads none. tower: the frozen image
    model, for a method that adapts it."""
    context = encoded.context(spec.seed or 0, **sentences)
    if METHODS[spec.method].adapts_tower:
        context = replace(context, tower=tower)
    return build(spec.method, spec.options, context)


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
