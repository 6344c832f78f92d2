"""How far tests in half precision are from those in fp32, on the CPU: logits of every architecture, and predictions.

Of the architectures of the paper scale with random weights: the largest difference of features, relative to their
length. Of a ResNet-18 with trained weights on real images, and of the tiny backbones on images of the mini world: how
many predictions change. Products are rounded as on a GPU, but sums are made in another order.

python benchmarks/numerics.py [weights.safetensors images]    # of a ResNet-18 of torchvision, and a folder
"""

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from papertables.backbones import mini
from papertables.backbones.catalog import backbones
from papertables.backbones.classifier import FrozenClassifier, build
from papertables.backbones.frozen_features import class_features
from papertables.backbones.pixels import Normalise
from papertables.base.device import computing_fast
from papertables.training.loop import FAST
from papertables.training.trial import Tower, random_tower

CPU = torch.device("cpu")
FEW, MANY, PER_CALL = 2, 1000, 50  # images
NAMES = [f"{colour} {shape}" for colour in ("red", "blue", "green", "yellow") for shape in ("circle", "square", "star")]


@torch.inference_mode()
def features(tower: Tower, images: Tensor) -> tuple[Tensor, Tensor]:
    """(N, D) of images (N, 3, P, P) in [0, 1], in fp32 and in half precision."""
    pixels, exact, fast = Normalise(tower.mean, tower.std)(images), [], []
    for part in pixels.split(PER_CALL):
        exact.append(tower.encode_image(part))
        with computing_fast(CPU, FAST):
            fast.append(tower.encode_image(part.contiguous(memory_format=torch.channels_last)).float())
    return torch.cat(exact), torch.cat(fast)


def off(exact: Tensor, fast: Tensor) -> float:
    """The largest difference, relative to the length of a feature."""
    return ((fast - exact).norm(dim=1) / exact.norm(dim=1)).max().item()


def predicted(tower: Tower, images: Tensor) -> tuple[int, float]:
    """How many predictions change, and the largest difference of logits relative to their spread."""
    logits = [logits_of(tower, found) for found in features(tower, images)]
    exact, fast = logits
    changed = int((exact.argmax(1) != fast.argmax(1)).sum())
    return changed, ((fast - exact).abs().max() / exact.std()).item()


def logits_of(tower: Tower, found: Tensor) -> Tensor:
    if isinstance(tower, FrozenClassifier):
        return found @ tower.weight.T + tower.bias
    unit = torch.nn.functional.normalize(found, dim=-1)
    return tower.logit_scale.exp() * unit @ class_features(tower, NAMES, ["{}"]).T


def real_images(folder: Path, side: int) -> Iterable[Tensor]:
    """At most ``MANY`` of a folder, spread over it, resized to a square."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".jpg", ".jpeg", ".png"))
    for path in files[:: max(1, len(files) // MANY)][:MANY]:
        image = Image.open(path).convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
        yield torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255


def report(name: str, tower: Tower, images: Tensor) -> None:
    changed, most = predicted(tower, images)
    print(
        f"{name}: {changed} of {len(images)} predictions change, logits by at most {most:.1e} of their spread",
        flush=True,
    )


def main() -> None:
    torch.set_num_threads(1)
    entries = backbones()
    for name in (name for name, entry in entries.items() if entry.shipped):
        _, drawn = mini.sample_images(MANY, np.random.default_rng(0))
        report(f"{name}, mini world", random_tower(name), torch.from_numpy(drawn).permute(0, 3, 1, 2) / 255)
    if len(sys.argv) == 3:
        tower = FrozenClassifier(trained(Path(sys.argv[1])), entries["resnet18"])
        images = torch.stack(list(real_images(Path(sys.argv[2]), tower.image_size)))
        report(f"resnet18, {Path(sys.argv[2]).name}", tower, images)
    for name in (name for name, entry in entries.items() if not entry.shipped and not entry.substitute_for):
        images = torch.rand(FEW, 3, entries[name].image_size, entries[name].image_size)
        print(f"{name}: features by at most {off(*features(random_tower(name), images)):.1e}", flush=True)


def trained(weights: Path) -> torch.nn.Module:
    model = build(backbones()["resnet18"])
    model.load_state_dict({name: value.float() for name, value in load_file(weights).items()}, strict=False)
    return model


if __name__ == "__main__":
    main()
