"""What frozen towers say once and for all, in two kinds of safetensors files, all tensors fp32. The first job that
reads one makes it, and so does one that finds it damaged, or made from something else than it asks for.

Frozen features, one file per data set and backbone: of the test images ``images`` (N, D), of any length, with
``labels`` (N,); of a CLIP the unit text features ``classes`` (C, D), of BLM's source prompts ``prompts`` (S, D), where
PromptSRC asks for it the mean over its templates ``ensemble`` (C, D), of any length, and ``logit_scale`` (); of a
classifier its last layer, ``weight`` (S, D) and ``bias`` (S,). The metadata holds the tower's input and, as JSON, the
names of the classes and of the source labels.

Sentence features, one file per data set, backbone and source of sentences: ``sentences`` (M, D), unit features, and the
sentences as JSON. They stand apart, so that who reads no sentences needs none.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from pydantic import JsonValue
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from papertables import NUMERICS
from papertables.attributes.sampling import Attributes, read_attributes, usable
from papertables.backbones.catalog import backbone, backbone_with
from papertables.backbones.pixels import Normalise
from papertables.base.errors import UserError
from papertables.base.files import write_atomic
from papertables.base.locks import alone
from papertables.base.seals import SEAL, Damaged, check_tensors, seal_of, sealed_tensors
from papertables.data import cache
from papertables.data.splits import read_split
from papertables.specs.rules import Frozen, Kept, Sentences
from papertables.specs.spec import digest

if TYPE_CHECKING:
    from papertables.backbones.classifier import FrozenClassifier
    from papertables.backbones.clip import FrozenClip

    Tower = FrozenClip | FrozenClassifier

IMAGES_PER_CALL = 256
ENSEMBLE = 60  # of CLIP's templates
SOURCE_TEMPLATE = "This is a photo of a {}."  # BLM's, before CLIP's 80


@dataclass(frozen=True)
class FrozenFeatures:
    """The content of a file of frozen features."""

    images: Tensor  # (N, D)
    labels: Tensor  # (N,)
    class_names: tuple[str, ...]  # (C,)
    source_names: tuple[str, ...]  # (S,)
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    classes: Tensor | None = None  # (C, D)
    prompts: Tensor | None = None  # (S, D)
    ensemble: Tensor | None = None  # (C, D)
    logit_scale: Tensor | None = None
    weight: Tensor | None = None  # (S, D)
    bias: Tensor | None = None  # (S,)

    @property
    def plain_features(self) -> Tensor:
        """The test images (N, D): of a CLIP of length 1, of a classifier as they enter its last layer."""
        return self.images if self.classes is None else F.normalize(self.images, dim=-1)


@dataclass(frozen=True)
class SentenceFeatures:
    """The content of a file of sentence features; ``index`` is the row of each sentence."""

    sentences: Tensor  # (M, D)
    index: Mapping[str, int]

    def chosen(self, rows: Sequence[Sequence[str]]) -> Tensor:
        """Features (C, m, D) of m sentences for each class."""
        return self.sentences[torch.tensor([[self.index[sentence] for sentence in row] for row in rows])]


def frozen_features(kept: Frozen, tower: "Callable[[], Tower]") -> FrozenFeatures:
    """tower: gives the backbone, where they have yet to be made. Raises UserError where the images that they are made
    from are not there; what is kept is then taken as it is."""
    told = [kept.prepared.digest, kept.template, kept.source_labels, kept.ensemble]
    tensors, described = _found(kept, told, lambda: _of_data(kept, tower()), Path(kept.images))
    names = ("mean", "std", "class_names", "source_names")
    return FrozenFeatures(
        image_size=described["image_size"], **{name: tuple(described[name]) for name in names}, **tensors
    )


def sentence_features(kept: Sentences, tower: "Callable[[], Tower]") -> SentenceFeatures:
    """Of every usable sentence of either file, once. tower: as above."""
    texts = read_attributes(*map(Path, kept.texts))
    tensors, described = _found(kept, texts.digest, lambda: _of_sentences(texts, tower()))
    return SentenceFeatures(tensors["sentences"], {text: row for row, text in enumerate(described["sentences"])})


Content = tuple[dict[str, Tensor], dict[str, JsonValue]]  # tensors by name, and what is described


def _of_data(kept: Frozen, tower: "Tower") -> Content:
    names = read_split(kept.prepared.checked_split).class_names
    test = cache.read(Path(kept.images))
    features = {"images": image_features(tower, test), "labels": torch.from_numpy(test.labels)}
    described = {"image_size": tower.image_size, "mean": tower.mean, "std": tower.std, "class_names": names}
    if backbone(kept.backbone).classes is not None:
        features |= {"weight": tower.weight, "bias": tower.bias}
        return features, described | {"source_names": tower.labels}
    prompts = source_prompts(names) if kept.source_labels else []
    features |= {
        "classes": class_features(tower, names, [kept.template]),
        "prompts": text_features(tower, prompts),
        "logit_scale": tower.logit_scale,
    }
    features |= {"ensemble": ensemble_features(tower, names, ensemble_templates())} if kept.ensemble else {}
    return features, described | {"template": kept.template, "source_names": prompts}


def _of_sentences(texts: Attributes, tower: "Tower") -> Content:
    every = (usable(own) for file in texts.files for own in file.values())
    sentences = sorted({sentence for own in every for sentence in own})
    return {"sentences": text_features(tower, sentences)}, {"sentences": sentences}


def _found(kept: Kept, told: JsonValue, make: Callable[[], Content], images: Path | None = None) -> Content:
    """What is kept, once it is of the same weights, read as the same, of what is ``told`` and of these images; made
    first where it is not."""
    path, entry = Path(kept.path), backbone_with(kept.backbone, kept.own_weights)
    of = {"of": digest([NUMERICS, entry.check(Path(kept.weights)), entry.reading, told])}
    of |= {"images": seal_of(images)} if images and images.exists() else {}
    found = _fitting(path, of)
    if found is None:
        with alone(path, f"makes {path}"):
            found = _fitting(path, of, tell=True)  # another may have made it
            if found is None:
                if images and not images.exists():
                    raise UserError(f"{images}: it is gone: make it with snakemake {images}")
                features, described = make()
                found = {name: value.cpu().contiguous().clone() for name, value in features.items()}, described | of
                # one entry, for several would be written in any order
                content = save(found[0], {"described": json.dumps(found[1])})
                write_atomic(path, sealed_tensors(content))
    return found


def _fitting(path: Path, of: dict[str, str], tell: bool = False) -> Content | None:
    """None where there is no file, one of something else, or a damaged one; tell: of the last in the log."""
    try:
        found = read_tensors(path)
        return found if of.items() <= found[1].items() else None
    except FileNotFoundError:
        return None
    except Damaged as error:
        if tell:
            print(f"{error.found}: it is made again", file=sys.stderr)
        return None


def read_tensors(path: Path) -> Content:
    """Raises Damaged, and FileNotFoundError. The tensors are copies: another machine may put a file in the place of
    this one."""
    check_tensors(path)
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name).clone() for name in file.keys() if name != SEAL}  # noqa: SIM118
            return tensors, json.loads(file.metadata()["described"])
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise Damaged(path, error) from None


@torch.inference_mode()
def image_features(tower, images: cache.ImageCache) -> Tensor:
    """Features (N, D) of images of the tower's own side."""
    normalise, parts = Normalise(tower.mean, tower.std).to(tower.device), []
    for start in range(0, len(images), IMAGES_PER_CALL):
        pixels = torch.from_numpy(images.batch(range(start, min(start + IMAGES_PER_CALL, len(images)))))
        parts.append(tower.encode_image(normalise(pixels.to(tower.device) / 255)))
    return torch.cat(parts)


def text_features(tower, texts: Sequence[str]) -> Tensor:
    """Unit features (M, D); (0, 1) of no text."""
    return F.normalize(tower.encode_text(texts), dim=-1) if texts else torch.zeros(0, 1)


def source_prompts(names: Sequence[str]) -> list[str]:
    """BLM's source labels for a CLIP, template by template: (81 · C)."""
    from papertables.backbones.openclip import OPENAI_IMAGENET_TEMPLATES

    plain = [name.lower().replace("_", " ").replace("-", " ") for name in names]
    templates = [SOURCE_TEMPLATE.format, *OPENAI_IMAGENET_TEMPLATES]
    return [template(name) for template in templates for name in plain]


def class_features(tower, names: Sequence[str], templates: Sequence[str]) -> Tensor:
    """Unit features (C, D) of the class names, underscores as spaces: the mean over templates."""
    features = F.normalize(_templated(tower, names, templates), dim=-1)
    return F.normalize(features.mean(0), dim=-1)


def ensemble_features(tower, names: Sequence[str], templates: Sequence[str]) -> Tensor:
    """Features (C, D) of the class names as PromptSRC has them: their mean over templates, before any has length 1."""
    return _templated(tower, names, templates).mean(0)


def ensemble_templates() -> list[str]:
    """PromptSRC's: the first 60 of CLIP's 80 for ImageNet."""
    from papertables.backbones.openclip import OPENAI_IMAGENET_TEMPLATES

    return [template("{}") for template in OPENAI_IMAGENET_TEMPLATES[:ENSEMBLE]]


def _templated(tower, names: Sequence[str], templates: Sequence[str]) -> Tensor:
    """Features (templates, C, D) of any length."""
    prompts = [template.format(name.replace("_", " ")) for template in templates for name in names]
    return tower.encode_text(prompts).unflatten(0, (len(templates), len(names)))
