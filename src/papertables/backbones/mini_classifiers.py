"""Two tiny classifiers of the mini world, a ResNet with batch norm and a ViT, pretrained here and shipped.

They stand in for classifiers trained on ImageNet: their source classes are the 80 pairs of colour and shape, such as
"red circle", which target sets must be mapped to.
"""

import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from timm.models.resnet import BasicBlock, ResNet
from torch import Tensor, nn

from papertables.backbones import mini
from papertables.backbones.pixels import Normalise
from papertables.backbones.pretraining import fit, make_optimizers, write_record
from papertables.data.miniworld import draw

NAMES = ("mini-cls-rn", "mini-cls-vit")
IMAGE_SIZE = mini.SIDE  # pixels
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLASSES = [(colour, shape) for colour in draw.ATTRIBUTES["colour"] for shape in draw.SHAPES]
RECIPE = {  # steps, learning rates of AdamW and of Muon (for matrices), the tiny CLIP whose image tower is taken over
    "mini-cls-rn": {"steps": 1200, "lr": 3e-3, "muon": None, "tower_of": None},
    "mini-cls-vit": {"steps": 800, "lr": 1e-3, "muon": 0.005, "tower_of": "mini-vit"},
}
SHRUNK = 27  # pixels: an image inside the frame of padding, as the record's accuracies have it


class MiniClassifier(nn.Module):
    """A tower without its classifier, and one linear layer on it.

    visual: pixels (B, 3, IMAGE_SIZE, IMAGE_SIZE) to (B, D).
    """

    def __init__(self, visual: nn.Module, dim: int):
        super().__init__()
        self.visual = visual
        self.head = nn.Linear(dim, len(CLASSES))

    def features(self, pixels: Tensor) -> Tensor:
        """(B, 3, IMAGE_SIZE, IMAGE_SIZE), normalised, to penultimate features (B, D)."""
        return self.visual(pixels)

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, IMAGE_SIZE, IMAGE_SIZE), normalised, to logits (B, S) of the source classes."""
        return self.head(self.features(pixels))


def labels(name: str) -> tuple[str, ...]:
    """The names of the S source classes, in the order of the logits. Raises KeyError for an unknown backbone."""
    if name not in RECIPE:
        raise KeyError(name)
    return tuple(f"{colour} {shape}" for colour, shape in CLASSES)


def build(name: str) -> MiniClassifier:
    """The classifier with random weights. Raises KeyError for an unknown name."""
    tower = RECIPE[name]["tower_of"]
    if tower:
        return MiniClassifier(mini.build(tower, vocab_size=1).visual, mini.EMBED)
    visual = ResNet(
        BasicBlock, (1, 1, 1, 1), num_classes=0, stem_type="deep", stem_width=12, channels=(24, 48, 96, 160)
    )
    return MiniClassifier(visual, visual.num_features)


def load(name: str, path: Path | None = None) -> MiniClassifier:
    """The tiny classifier of that name: fp32, frozen, in evaluation mode (batch norm included).

    path: weights other than the shipped ones. Raises KeyError for an unknown name.
    """
    model = build(name)
    state = load_file(path or mini.WEIGHTS / f"{name}.safetensors")
    model.load_state_dict({key: value.float() if value.is_floating_point() else value for key, value in state.items()})
    return model.eval().requires_grad_(False)


def to_input(images: np.ndarray) -> Tensor:
    """uint8 (N, IMAGE_SIZE, IMAGE_SIZE, 3) -> normalised float (N, 3, IMAGE_SIZE, IMAGE_SIZE)."""
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    return Normalise(MEAN, STD)(x)


def sample(count: int, rng: np.random.Generator) -> tuple[Tensor, np.ndarray]:
    """Source labels (N,) and images (N, IMAGE_SIZE, IMAGE_SIZE, 3) uint8, ``count`` in all, as many of each shape."""
    parts = [mini.sample_images(count // len(draw.SHAPES), rng, {"form": shape}) for shape in draw.SHAPES]
    scenes, images = [scene for part, _ in parts for scene in part], np.concatenate([part for _, part in parts])
    return torch.tensor([CLASSES.index((scene["colour"], scene["form"])) for scene in scenes]), images


def views(x: Tensor, progress: float, rng: np.random.Generator) -> Tensor:
    """Random crops, frames of zeros and noise on images (N, 3, H, W); bolder as ``progress`` goes from 0 to 1.

    Every other batch is put into a second frame, as padding for reprogramming makes images small.
    """
    x = mini.crop(x, 1 - 0.75 * min(1, 2 * progress), rng)
    if rng.random() < 0.5:
        x = mini.crop(x, 1, rng)
    noise = torch.from_numpy(rng.standard_normal(x.shape, dtype=np.float32))
    strength = torch.from_numpy(rng.uniform(0, 0.4, (len(x), 1, 1, 1)).astype(np.float32))
    return x + strength * noise


def pretrain(
    name: str,
    out: Path,
    steps: int | None = None,
    seed: int = 0,
    batch: int = 128,
    pool: int = 20000,
    evaluate: int = 2000,
    log=print,
) -> dict:
    """Trains a tiny classifier on the mini world; writes ``out`` (.safetensors) and its record beside it (.json).

    steps: None for the recipe's. pool: images drawn beforehand; their views are drawn anew at every step.
    The ViT starts from the image tower of the shipped tiny CLIP, whose recipe says why. Returns the record, with the
    loss of every step under ``losses`` (which the file leaves out).
    """
    recipe = RECIPE[name]
    steps = steps or recipe["steps"]
    pool = min(pool, steps * batch)
    began = time.perf_counter()
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    rng = np.random.default_rng([seed, 2])
    targets, images = sample(pool, rng)
    log(f"{name}: drew {len(images)} images in {time.perf_counter() - began:.0f} s")

    model = build(name).train()
    if recipe["tower_of"]:
        model.visual.load_state_dict(mini.load(recipe["tower_of"]).visual.state_dict())

    def loss(step: int) -> Tensor:
        chosen = rng.choice(len(images), batch, replace=len(images) < batch)
        logits = model(views(to_input(images[chosen]), step / steps, rng))  # (B, S)
        return F.cross_entropy(logits, targets[chosen])

    def keep(count: int) -> dict[str, float]:
        save_file(_halved(model), out)
        return accuracies(load(name, out), count, seed)

    arguments = f"{name!r}, out, {steps=}, {seed=}, {batch=}, {pool=}"
    record = {
        "command": f"papertables.backbones.mini_classifiers.pretrain({arguments})",
        "world_seed": seed,
        "image_tower_of": recipe["tower_of"],
    }
    losses = fit(name, make_optimizers(model, recipe), steps, loss, keep, log)
    return write_record(out, record, losses, keep(evaluate))


def _halved(model: MiniClassifier) -> dict[str, Tensor]:
    """The weights in half precision, contiguous."""
    state = {key: value.half() if value.is_floating_point() else value for key, value in model.state_dict().items()}
    return {key: value.contiguous() for key, value in state.items()}


@torch.no_grad()
def accuracies(model: MiniClassifier, count: int, seed: int) -> dict[str, float]:
    """Accuracy in % on ``count`` images that pretraining with this seed never drew.

    ``pairs``: of the source classes. ``shapes``, ``colours``: only that half of the pair counts. ``shrunk``: of the
    source classes, on the images at SHRUNK pixels in the middle of zeros.
    """
    targets, images = sample(count, np.random.default_rng([seed, 3]))
    small, frame = F.interpolate(to_input(images), SHRUNK, mode="bilinear", antialias=True), IMAGE_SIZE - SHRUNK
    padded = F.pad(small, (frame - frame // 2, frame // 2, frame - frame // 2, frame // 2))
    guesses, shrunk = (torch.cat([model(part).argmax(1) for part in x.split(500)]) for x in (to_input(images), padded))
    shapes = len(draw.SHAPES)
    right = {
        "pairs": guesses == targets,
        "shapes": guesses % shapes == targets % shapes,
        "colours": guesses // shapes == targets // shapes,
        "shrunk": shrunk == targets,
    }
    return {space: round(100 * hits.float().mean().item(), 1) for space, hits in right.items()}
