"""What frozen towers say once and for all: features of the test images, of the classes and of every sentence.

One safetensors file per data set and backbone. Tensors, all fp32: ``images`` (N, D), of any length, with ``labels``
(N,); of a CLIP its text features, of length 1, ``classes`` (C, D), ``sentences`` (M, D), ``prompts`` (S, D), and
``logit_scale`` (); of a classifier its last layer, ``weight`` (S, D) and ``bias`` (S,). The metadata holds the tower's
input and, as JSON, the names of the classes and of the source labels, and the sentences.
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
from papertables.backbones import load_tower
from papertables.backbones.catalog import backbone
from papertables.data import cache
from papertables.data.splits import read_split
from papertables.device import pick_device
from papertables.files import write_atomic

IMAGES_PER_CALL = 256
SOURCE_TEMPLATE = "This is a photo of a {}."  # BLM's, before CLIP's 80


@dataclass(frozen=True)
class Encoded:
    """The content of the file; ``index`` is the row of each sentence."""

    images: Tensor  # (N, D)
    labels: Tensor  # (N,)
    class_names: tuple[str, ...]  # (C,)
    source_names: tuple[str, ...]  # (S,)
    index: dict[str, int]
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    classes: Tensor | None = None  # (C, D)
    sentences: Tensor | None = None  # (M, D)
    prompts: Tensor | None = None  # (S, D)
    logit_scale: Tensor | None = None
    weight: Tensor | None = None  # (S, D)
    bias: Tensor | None = None  # (S,)

    @property
    def plain_features(self) -> Tensor:
        """Of the test images (N, D): of a CLIP of length 1, of a classifier as they enter its last layer."""
        return self.images if self.classes is None else F.normalize(self.images, dim=-1)

    def features(self, chosen: Sequence[Sequence[str]]) -> Tensor:
        """Features (C, m, D) of m sentences for each class."""
        return self.sentences[torch.tensor([[self.index[sentence] for sentence in row] for row in chosen])]


def encode(
    dataset: Path,
    images: Path,
    backbone_name: str,
    weights: Path,
    sentences: Sequence[Path],
    templates: str | Sequence[str],
    out: Path,
    source_labels: bool = False,
    device: str = "cpu",
    threads: int = 1,
) -> None:
    """Writes ``out``. dataset: the folder with ``split.json``; images: the cache of its test part at the
    backbone's side; sentences: files of attribute sentences. Several templates are averaged (as zero-shot
    CLIP does). source_labels: whether BLM's source prompts of a CLIP are wanted. A classifier reads no text."""
    torch.set_num_threads(threads)
    entry = backbone(backbone_name)
    tower = load_tower(entry, weights, pick_device(device))
    names = read_split(dataset / "split.json").class_names
    test = cache.read(images)
    features = {"images": image_features(tower, test), "labels": torch.from_numpy(test.labels)}
    described = {"image_size": tower.image_size, "mean": tower.mean, "std": tower.std, "class_names": names}
    if entry.classes is None:
        templates = [templates] if isinstance(templates, str) else list(templates)
        unique = {text for path in sentences for texts in read_sentences(path).values() for text in usable(texts)}
        unique, prompts = sorted(unique), source_prompts(names) if source_labels else []
        features |= {
            "classes": class_features(tower, names, templates),
            "sentences": text_features(tower, unique),
            "prompts": text_features(tower, prompts),
            "logit_scale": tower.logit_scale,
        }
        described |= {"templates": templates, "sentences": unique, "source_names": prompts}
    else:
        features |= {"weight": tower.weight, "bias": tower.bias}
        described |= {"sentences": [], "source_names": tower.labels}
    tensors = {name: value.cpu().contiguous() for name, value in features.items()}
    # one entry, for several would be written in any order
    write_atomic(out, save(tensors, {"described": json.dumps(described)}))


def read(path: Path) -> Encoded:
    with safe_open(path, "pt") as file:
        described = json.loads(file.metadata()["described"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return Encoded(
        index={sentence: row for row, sentence in enumerate(described["sentences"])},
        image_size=described["image_size"],
        **{name: tuple(described[name]) for name in ("mean", "std", "class_names", "source_names")},
        **tensors,
    )


@torch.inference_mode()
def image_features(tower, images: cache.ImageCache) -> Tensor:
    """Features (N, D) of images of the tower's own side."""
    mean = torch.tensor(tower.mean, device=tower.device).view(3, 1, 1)
    std = torch.tensor(tower.std, device=tower.device).view(3, 1, 1)
    parts = []
    for start in range(0, len(images), IMAGES_PER_CALL):
        pixels = torch.from_numpy(images.batch(range(start, min(start + IMAGES_PER_CALL, len(images)))))
        parts.append(tower.encode_image((pixels.to(tower.device) / 255 - mean) / std))
    return torch.cat(parts)


def text_features(tower, texts: Sequence[str]) -> Tensor:
    """Unit features (M, D); (0, 1) of no text."""
    return F.normalize(tower.encode_text(texts), dim=-1) if texts else torch.zeros(0, 1)


def source_prompts(names: Sequence[str]) -> list[str]:
    """BLM's source labels for a CLIP, template by template: (81 · C)."""
    from open_clip import OPENAI_IMAGENET_TEMPLATES

    plain = [name.lower().replace("_", " ").replace("-", " ") for name in names]
    templates = [SOURCE_TEMPLATE.format, *OPENAI_IMAGENET_TEMPLATES]
    return [template(name) for template in templates for name in plain]


def class_features(tower, names: Sequence[str], templates: Sequence[str]) -> Tensor:
    """Unit features (C, D) of the class names, underscores as spaces: the mean over templates."""
    prompts = [template.format(name.replace("_", " ")) for template in templates for name in names]
    features = F.normalize(tower.encode_text(prompts), dim=-1).unflatten(0, (len(templates), len(names)))
    return F.normalize(features.mean(0), dim=-1)
