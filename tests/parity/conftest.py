"""Golden cases: numbers that the authors' code produced, from the folder PARITY_DATA."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from papertables.backbones import clip
from papertables.methods.inputs import MethodInputs

FOLDER = Path(os.environ.get("PARITY_DATA", Path(__file__).parent / "data"))


@dataclass(frozen=True)
class Case:
    """facts: the JSON file; tensors: the safetensors file, empty where there is none."""

    facts: dict
    tensors: dict[str, Tensor]

    def agrees(self, found: Tensor, expected: str | Tensor, **tolerance: float) -> None:
        """Asserts equality within the case's own tolerance, or a stated one."""
        if isinstance(expected, str):
            expected = self.tensors[expected]
        if not tolerance:
            given = self.facts["tolerance"]
            tolerance = {"rtol": given["float32_rtol"], "atol": given["float32_atol"]}
        torch.testing.assert_close(found.detach(), expected.to(found.dtype), **tolerance)


@pytest.fixture(scope="session")
def golden():
    """A case by its name."""

    def read(name: str) -> Case:
        tensors = FOLDER / f"{name}.safetensors"
        facts = json.loads((FOLDER / f"{name}.json").read_text())
        return Case(facts, load_file(tensors) if tensors.exists() else {})

    return read


def openai_state(case: Case) -> dict[str, Tensor]:
    return {name[3:]: value for name, value in case.tensors.items() if name.startswith("sd.")}


@pytest.fixture(scope="session")
def tower(golden):
    return clip.FrozenClip(clip.of_openai(openai_state(golden("tiny_clip"))))


@pytest.fixture(scope="session")
def resnet_tower(golden):
    state = {name: value for name, value in openai_state(golden("tiny_clip")).items() if "visual." not in name}
    return clip.FrozenClip(clip.of_openai(state | openai_state(golden("tiny_clip_rn"))))


@pytest.fixture(scope="session")
def normalise(tower):
    """uint8 images (B, 3, H, W) as the tower takes them."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (tower.mean, tower.std))
    return lambda images: (images / 255 - mean) / std


@pytest.fixture(scope="session")
def context(tower):
    """Of the tower, with whatever text features a case gives."""

    def make(**features) -> MethodInputs:
        return MethodInputs(tower.image_size, tower.mean, tower.std, tower.logit_scale, **features)

    return make


def inputs(tower, names, **more) -> MethodInputs:
    """Of a method that learns prompts for these class names."""
    return MethodInputs(
        image_size=tower.image_size,
        mean=tower.mean,
        std=tower.std,
        logit_scale=tower.logit_scale,
        text=tower.text,
        class_names=names,
        embedding_width=tower.model.text_projection.shape[1],
        attribute_tokens="first",
        deep_start="assumed",
        **more,
    )
