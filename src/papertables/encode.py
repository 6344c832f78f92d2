"""What frozen towers say once and for all: features of the test images, of the classes and of every sentence.

One safetensors file per data set and backbone. Tensors, all fp32 and of length 1: ``images`` (N, D) with
``labels`` (N,), ``classes`` (C, D), ``sentences`` (M, D); and ``logit_scale`` (). The metadata holds the
tower's input and, as JSON, what the rows of classes and sentences stand for.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from papertables.attributes.sampling import read_sentences, usable
from papertables.backbones.catalog import backbone
from papertables.data import cache
from papertables.data.splits import read_split
from papertables.device import pick_device
from papertables.files import write_atomic
from papertables.methods.context import Context

IMAGES_PER_CALL = 256


@dataclass(frozen=True)
class Encoded:
    """The content of the file; ``index`` is the row of each sentence."""

    images: Tensor  # (N, D)
    labels: Tensor  # (N,)
    classes: Tensor  # (C, D)
    sentences: Tensor  # (M, D)
    index: dict[str, int]
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    logit_scale: Tensor

    def features(self, chosen: Sequence[Sequence[str]]) -> Tensor:
        """Features (C, m, D) of m sentences for each class."""
        return self.sentences[torch.tensor([[self.index[sentence] for sentence in row] for row in chosen])]

    def context(
        self,
        descriptive: Sequence[Sequence[str]] | None = None,
        distinctive: Sequence[Sequence[str]] | None = None,
    ) -> Context:
        """For a method; with the features of its sampled sentences if it uses any."""
        return Context(
            self.image_size,
            self.mean,
            self.std,
            self.logit_scale,
            self.classes,
            self.features(descriptive) if descriptive else None,
            self.features(distinctive) if distinctive else None,
        )


def encode(
    dataset: Path,
    images: Path,
    backbone_name: str,
    weights: Path,
    sentences: Sequence[Path],
    templates: str | Sequence[str],
    out: Path,
    device: str = "cpu",
    threads: int = 1,
) -> None:
    """Writes ``out``. dataset: the folder with ``split.json``; images: the cache of its test part at the
    backbone's side; sentences: files of attribute sentences. Several templates are averaged (as zero-shot
    CLIP does)."""
    from papertables.backbones import clip

    torch.set_num_threads(threads)
    tower = clip.load(backbone(backbone_name), weights, pick_device(device))
    templates = [templates] if isinstance(templates, str) else list(templates)
    names = read_split(dataset / "split.json").class_names
    unique = sorted({text for path in sentences for texts in read_sentences(path).values() for text in usable(texts)})
    test = cache.read(images)
    features = {
        "images": image_features(tower, test),
        "labels": torch.from_numpy(test.labels),
        "classes": class_features(tower, names, templates),
        "sentences": F.normalize(tower.encode_text(unique), dim=-1) if unique else torch.zeros(0, 1),
        "logit_scale": tower.logit_scale,
    }
    described = {
        "image_size": tower.image_size,
        "mean": tower.mean,
        "std": tower.std,
        "templates": templates,
        "class_names": names,
        "sentences": unique,
    }
    metadata = {key: json.dumps(value) for key, value in described.items()}
    write_atomic(out, save({name: value.cpu().contiguous() for name, value in features.items()}, metadata))


def read(path: Path) -> Encoded:
    with safe_open(path, "pt") as file:
        metadata = {key: json.loads(value) for key, value in file.metadata().items()}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    index = {sentence: row for row, sentence in enumerate(metadata["sentences"])}
    size, mean, std = metadata["image_size"], tuple(metadata["mean"]), tuple(metadata["std"])
    return Encoded(index=index, image_size=size, mean=mean, std=std, **tensors)


@torch.inference_mode()
def image_features(tower, images: cache.ImageCache) -> Tensor:
    """Unit features (N, D) of images of the tower's own side."""
    mean = torch.tensor(tower.mean, device=tower.device).view(3, 1, 1)
    std = torch.tensor(tower.std, device=tower.device).view(3, 1, 1)
    parts = []
    for start in range(0, len(images), IMAGES_PER_CALL):
        pixels = torch.from_numpy(images.batch(range(start, min(start + IMAGES_PER_CALL, len(images)))))
        parts.append(F.normalize(tower.encode_image((pixels.to(tower.device) / 255 - mean) / std), dim=-1))
    return torch.cat(parts)


def class_features(tower, names: Sequence[str], templates: Sequence[str]) -> Tensor:
    """Unit features (C, D) of the class names, underscores as spaces: the mean over templates."""
    prompts = [template.format(name.replace("_", " ")) for template in templates for name in names]
    features = F.normalize(tower.encode_text(prompts), dim=-1).unflatten(0, (len(templates), len(names)))
    return F.normalize(features.mean(0), dim=-1)
