"""A run at its true size before there are data or weights: random towers, made-up names and features."""

from dataclasses import dataclass
from functools import cache, partial

import torch
import torch.nn.functional as F
from torch import Tensor

from papertables.backbones import load_tower
from papertables.backbones.catalog import Backbone, backbone
from papertables.backbones.classifier import FrozenClassifier, build
from papertables.backbones.clip import FrozenClip
from papertables.backbones.frozen_features import FrozenFeatures
from papertables.backbones.mini import WEIGHTS
from papertables.backbones.openclip import create_model
from papertables.backbones.prompts import ImagePrompts
from papertables.methods.learner import BaseLearner
from papertables.methods.options import SEARCHED
from papertables.specs.spec import RunSpec
from papertables.training.learners import KINDS, make_learner, prompt_names
from papertables.training.teacher import Teacher

TEMPLATES = 81  # of BLM's source prompts of a CLIP
WINNER = ("color", "shape", "size")  # stands in for attributes that a search would find

Tower = FrozenClip | FrozenClassifier


@dataclass(frozen=True)
class Trial:
    """A learner with its tower; names: of the classes it is trained on."""

    spec: RunSpec
    tower: Tower
    learner: BaseLearner
    names: tuple[str, ...]

    def batch(self, count: int, device: str | torch.device = "cpu", seed: int = 0) -> tuple[Tensor, Tensor]:
        """Images (B, 3, s, s) in [0, 1] and labels (B,)."""
        stream = torch.Generator().manual_seed(seed)
        images = torch.rand(count, 3, self.spec.image_size, self.spec.image_size, generator=stream)
        labels = torch.randint(len(self.names), (count,), generator=stream)
        return images.to(device), labels.to(device)


def random_tower(name: str, device: str | torch.device = "cpu") -> Tower:
    """A backbone of the catalog on a device, as a job has it there, or without contents (``meta``); with weights as its
    library draws them, the same on every device, a tiny CLIP with its own."""
    entry = backbone(name)
    torch.manual_seed(0)
    if entry.classes is not None:
        return FrozenClassifier(build(entry), entry, device)
    if entry.shipped:
        return load_tower(entry, WEIGHTS / entry.file, device)
    return FrozenClip(create_model(f"{entry.architecture}-quickgelu", pretrained=None), device)


def trial(spec: RunSpec, tower: Tower, classes: int) -> Trial:
    """The learner of a run on a data set of so many classes."""
    entry = backbone(spec.backbone)
    frozen = _frozen(entry, tower, classes)
    sentences = {}
    if spec.attributes:
        sentences = {kind: _unit(classes, spec.options["m"], entry.embed_dim) for kind in KINDS}
    teacher = _teacher(backbone(spec.teacher.backbone), classes) if spec.teacher else None
    winner = WINNER if spec.options.get("attributes") == SEARCHED else ()
    learner = make_learner(spec, frozen, sentences, tower, winner, teacher)
    return Trial(spec, tower, learner, prompt_names(frozen.class_names, spec.trained_classes))


def _frozen(entry: Backbone, tower: Tower, classes: int) -> FrozenFeatures:
    """What a frozen tower would say of a data set."""
    names = tuple(f"painted thing {number}" for number in range(classes))  # as long as names are
    known = {
        "images": _unit(1, entry.embed_dim),
        "labels": torch.zeros(1, dtype=torch.long),
        "class_names": names,
        "source_names": (),
        "image_size": tower.image_size,
        "mean": tower.mean,
        "std": tower.std,
    }
    if entry.classes is not None:
        return FrozenFeatures(**known, weight=tower.weight.cpu(), bias=tower.bias.cpu())
    told = {name: _unit(classes, entry.embed_dim) for name in ("classes", "ensemble")}
    told |= {"prompts": _unit(TEMPLATES * classes, entry.embed_dim)}
    return FrozenFeatures(**known, **told, logit_scale=tower.logit_scale.cpu())


def _teacher(entry: Backbone, classes: int) -> Teacher:
    """With one token beside patches, in the first block."""
    tower = random_tower(entry.id)
    vectors, prompts = _unit(classes, entry.embed_dim), ImagePrompts(_unit(1, tower.text.image_width))
    return Teacher(vectors, tower.logit_scale, prompts, cache(partial(random_tower, entry.id)))


def _unit(*shape: int) -> Tensor:
    """Vectors of length 1."""
    return F.normalize(torch.randn(shape, generator=torch.Generator().manual_seed(0)), dim=-1)
