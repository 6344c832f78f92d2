"""A small data set, a random tower and what a job needs of them, in a temporary folder."""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from papertables.backbones import checked_tower, mini
from papertables.backbones.catalog import backbone
from papertables.backbones.classifier import FrozenClassifier
from papertables.backbones.clip import FrozenClip
from papertables.backbones.frozen_features import FrozenFeatures, frozen_features
from papertables.base.seals import unsealed_json
from papertables.data import cache
from papertables.planning.paths import SHIPPED_WEIGHTS
from papertables.specs.rules import (
    Frozen,
    Prepared,
    Sentences,
    Training,
    TrainJob,
    Transfer,
)
from papertables.specs.spec import TRAIN_ORIGINALS, CacheKey, RunSpec
from papertables.training.job import train_job
from papertables.training.loop import TestSet

BACKBONE = "mini-vit"
CLASSES = ("red_spot", "green spot", "blue spot")
PER_CLASS = {"train": 6, "val": 2, "test": 4}
SIDE = backbone(BACKBONE).image_size
INNER = SIDE - 12
TEMPLATE = "This is a photo of {}."
CLASSIFIER = "mini-cls-rn"
MARGIN = 4
NOWHERE = Transfer({}, {}, {})


def draw_dataset(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    split = {}
    for part, count in PER_CLASS.items():
        split[part] = []
        for label, name in enumerate(CLASSES):
            for number in range(count):
                pixels = rng.integers(0, 120, (50 + number, 64 - number, 3), dtype=np.uint8)
                pixels[..., label] += 100
                path = f"{part}-{label}-{number}.png"
                Image.fromarray(pixels).save(folder / path)
                split[part].append([path, label, name])
    (folder / "split.json").write_text(json.dumps(split))
    (folder / "manifest.json").write_text(json.dumps({"digest": "0" * 64}))
    return folder


def draw_sentences(folder: Path) -> tuple[Path, Path]:
    paths = tuple(folder / f"small_{kind}.json" for kind in ("des", "dist"))
    for path in paths:
        text = {name: [f"A {name} of look {number}, {path.stem}." for number in range(5)] for name in CLASSES}
        path.write_text(json.dumps(text))
    return paths


def whole(images: cache.ImageCache) -> TestSet:
    """Every image of a cache."""
    return TestSet(images.labels, images, np.arange(len(images)))


class World:
    """Everything that comes before training, made once: for a tiny CLIP with random weights, or a tiny classifier."""

    def __init__(self, folder: Path, backbone_name: str = BACKBONE):
        self.folder, self.backbone = folder, backbone_name
        self.dataset = draw_dataset(folder)
        self.sentences = draw_sentences(folder)
        is_clip = backbone_name == BACKBONE
        if is_clip:
            self.weights = folder / "tower.safetensors"
            torch.manual_seed(0)
            save_file(mini.shrink(mini.build(BACKBONE, len(mini.known_tokens()) + 1)), self.weights)
            keys = [
                ("train", "short", SIDE),
                ("train", "short", INNER),
                TRAIN_ORIGINALS,
                ("test", "crop", SIDE),
                ("test", "crop", INNER),
            ]
        else:
            self.weights = SHIPPED_WEIGHTS / backbone(backbone_name).file
            keys = [("train", "square", size) for size in (SIDE + MARGIN, INNER)]
            keys += [("test", "square", size) for size in (SIDE, INNER)]
        self.caches = {CacheKey(*key): folder / "{}-{}-{}.safetensors".format(*key) for key in keys}
        for key, path in self.caches.items():
            cache.build(self.dataset, key.part, key.size, key.fit, None, path)
        plain = self.caches[CacheKey("test", backbone(backbone_name).fit, SIDE)]
        self.frozen = frozen(folder, plain, backbone_name, self.weights)
        self.sources = {"small": sentences(folder, self.sentences, self.weights)} if is_clip else {}

    @property
    def prepared(self) -> Prepared:
        return prepared(self.dataset)

    def job(self, specs: list[RunSpec], **changes) -> TrainJob:
        """Of these runs; ``changes`` are of the job."""
        given = {
            "frozen": self.frozen,
            "caches": {key: str(path) for key, path in self.caches.items()},
            "sentences": self.sources,
            "searches": {},
            "transfer": NOWHERE,
        }
        return TrainJob(tuple(specs), **(given | changes))

    def train(self, specs: list[RunSpec], results: Path, *, training: dict | None = None, **changes) -> list[dict]:
        """Runs a job; returns what it wrote, a dictionary per run. training: changes of what all jobs share."""
        return train(self.job(specs, **changes), results, **(training or {}))


def prepared(folder: Path) -> Prepared:
    return Prepared(str(folder / "split.json"), str(folder / "manifest.json"))


def frozen(folder: Path, images: Path, backbone_name: str, weights: Path, **changes) -> Frozen:
    """Of the data set in a folder, kept there."""
    given = {"template": TEMPLATE, "source_labels": False, "ensemble": backbone(backbone_name).classes is None}
    path = folder / "frozen.safetensors"
    about = (str(path), backbone_name, str(weights), None, prepared(folder), str(images))
    return Frozen(*about, **(given | changes))


def sentences(folder: Path, texts: tuple[Path, Path], weights: Path) -> Sentences:
    """Of two files, kept in a folder."""
    return Sentences(str(folder / "sentences.safetensors"), BACKBONE, str(weights), None, tuple(map(str, texts)))


def tower(kept: Frozen | Sentences) -> FrozenClip | FrozenClassifier:
    """The backbone that says what is kept."""
    return checked_tower(kept)


def said(kept: Frozen) -> FrozenFeatures:
    return frozen_features(kept, lambda: tower(kept))


def train(job: TrainJob, results: Path, **changes) -> list[dict]:
    """Runs a job, with its store below ``results``; returns what it wrote, a dictionary per run."""
    output = results / "job.jsonl"
    train_job(job, Training(str(results / "runs"), str(results / "checkpoints"), **changes), output)
    return [json.loads(unsealed_json(line)) for line in output.read_bytes().splitlines()]


def spec(method: str, seed: int | None = 1, *, lr: float = 40.0, epochs: int = 3, shots: int = 4, **options) -> RunSpec:
    """A run on the small world."""
    trains, attributes = method in ("vp", "ar", "attrvr"), method in ("attr_zs", "attrvr")
    training = {
        "epochs": epochs,
        "batch_size": 5,
        "optimizer": {"name": "sgd", "lr": lr, "momentum": 0.9},
        "schedule": {"name": "cosine_step"},
    }
    padded = {"inner": INNER} if method in ("ar", "attrvr") else {}
    sampled = {"k": 2, "lam": 0.5, "m": 3} if attributes else {}
    return RunSpec(
        method=method,
        options=({"pad": 6} if method == "vp" else {}) | padded | sampled | options,
        backbone=BACKBONE,
        dataset="small",
        protocol="few_shot",
        image_size=INNER if padded else SIDE,
        shots=shots if trains else None,
        seed=seed if trains or attributes else None,
        attributes="small" if attributes else None,
        training=training if trains else None,
        fidelity={},
    )


def mapped_spec(method: str, mapping: str = "ilm", seed: int = 1, *, epochs: int = 3, **changes) -> RunSpec:
    """A run of BLM or SMM on the small world; ``changes`` are of the spec."""
    own = {"padding": {"inner": INNER}, "watermark": {"pad": SIDE // 2}}
    masked = {"layers": 5, "patch": 8, "channels": 3, "width": 8}
    adam = {"optimizer": {"name": "adam", "lr": 0.01}, "schedule": {"name": "multistep", "milestones": [0.5, 0.72]}}
    padded = method == "padding"
    given = {
        "method": method,
        "options": own.get(method, masked) | {"mapping": mapping, "laplace": 1, "ratio": 0.15},
        "backbone": CLASSIFIER,
        "dataset": "small",
        "protocol": "full",
        "image_size": INNER if padded else SIDE,
        "images": {"fit": "square", "augmentation": "none"}
        if padded
        else {"fit": "square", "augmentation": "crop_flip", "margin": MARGIN},
        "seed": seed,
        "training": {"epochs": epochs, "batch_size": 5, "parts": {"pixels.network": adam}, **adam},
        "fidelity": {"first_mapping_pass": "training"},
    }
    return RunSpec(**(given | changes))
