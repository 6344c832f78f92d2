"""A trained learner on images of one's own."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from papertables.backbones import checked_tower
from papertables.backbones.frozen_features import frozen_features, sentence_features
from papertables.base.device import pick_device
from papertables.base.errors import UserError
from papertables.data import cache
from papertables.data.splits import read_split
from papertables.results.store import Store
from papertables.specs.config import Selection
from papertables.specs.rules import TrainJob
from papertables.specs.spec import CacheKey, RunSpec
from papertables.training.forward import image_features, text_features
from papertables.training.learners import make_learner, prompt_names, sampled_features
from papertables.training.record import texts_of, winners_of
from papertables.training.teacher import make_teacher

if TYPE_CHECKING:
    from papertables.backbones.classifier import FrozenClassifier
    from papertables.backbones.clip import FrozenClip
    from papertables.methods.learner import BaseLearner

IMAGES_PER_CALL = 32


def untrained(
    job: TrainJob, spec: RunSpec, device: str = "cpu", store: Store | None = None
) -> "tuple[BaseLearner, FrozenClip | FrozenClassifier]":
    """The learner of one of a job's runs before training, and its tower. store: where the teacher of a student is.
    Raises UserError where a file that it is made from is damaged or gone."""
    kept, sentences = job.frozen, {}
    tower = checked_tower(kept, pick_device(device))
    frozen = frozen_features(kept, lambda: tower)
    if spec.attributes:
        known = sentence_features(job.sentences[spec.attributes], lambda: tower)
        split, texts = read_split(kept.prepared.checked_split), texts_of(job)[spec.attributes]
        sentences = sampled_features(spec, split, texts, known)
    teacher = None
    if spec.teacher:
        files = job.teachers[spec.id]
        teacher = make_teacher(files, store, checked_tower(files.frozen, tower.device))
    return make_learner(spec, frozen, sentences, tower, winners_of(job).get(spec.id, ()), teacher), tower


class Predictor:
    """A run's learner after its best or its last epoch, on a device. names: of the classes that it tells apart."""

    def __init__(self, job: TrainJob, spec: RunSpec, store: Store, selection: Selection = "best", device: str = "cpu"):
        """Raises UserError where the run's learner, or a file that it was trained from, is damaged or gone."""
        learner, self.tower = untrained(job, spec, device, store)
        learner.load_state_dict(store.state(spec.id, selection))
        self.learner = learner.to(self.tower.device).requires_grad_(False).eval()
        class_names = read_split(job.frozen.prepared.checked_split).class_names
        self.spec, self.names = spec, prompt_names(class_names, spec.target.classes)

    def __call__(self, images: Sequence[str | Path]) -> pd.DataFrame:
        """A row for each image file: the class, and its probability."""
        probabilities = self.logits(images).softmax(-1)
        best = probabilities.max(-1)
        classes = [self.names[label] for label in best.indices]
        return pd.DataFrame({"image": list(map(str, images)), "class": classes, "probability": best.values.numpy()})

    def logits(self, images: Sequence[str | Path]) -> Tensor:
        """(B, C), of image files, which are cut to size as the run's test images were. Raises UserError for what is no
        list of these, and for a file that is no image."""
        images = image_files(images)
        parts = [images[start : start + IMAGES_PER_CALL] for start in range(0, len(images), IMAGES_PER_CALL)]
        with torch.inference_mode():
            return torch.cat([self._logits(part) for part in parts]).float().cpu()

    def _logits(self, images: Sequence[Path]) -> Tensor:
        key, towers, learners = self.spec.test_cache, self.tower, [self.learner]
        pixels = np.stack([_pixels(image, key) for image in images])
        (features,) = image_features(towers, learners, [torch.from_numpy(pixels).to(towers.device) / 255])
        (texts,) = text_features(towers, learners, [self.names], [features])
        return self.learner.classify(features, texts, self.names)


def image_files(images: Sequence[str | Path]) -> list[Path]:
    """Raises UserError where they are no list of files."""
    if isinstance(images, str | Path):
        raise UserError(f"'{images}' is one path: write a list, ['{images}']")
    if not len(images):
        raise UserError("no image is named: write a list of paths, such as ['photo.png']")
    for image in images:
        if not isinstance(image, str | Path):
            raise UserError(f"images are named by paths, not by {type(image).__name__}: write ['photo.png']")
        if not Path(image).is_file():
            raise UserError(f"{image}: there is no such file: name one that holds an image")
    return list(map(Path, images))


def _pixels(image: Path, key: CacheKey) -> np.ndarray:
    """As the cache holds them."""
    try:
        return cache.load(image, key.size, key.fit)
    except cache.DamagedImage as error:
        raise UserError(f"{error}: name a file that holds an image") from None
