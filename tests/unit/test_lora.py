"""LoRA in a tiny ViT: adapters begin as nothing, they and the last layer alone are trained and kept."""

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from papertables import encode
from papertables.backbones import catalog
from papertables.backbones.classifier import FrozenClassifier
from papertables.data import cache
from papertables.errors import UserError
from papertables.methods import METHODS, build
from papertables.methods.context import Context
from papertables.methods.lora import adapted
from papertables.spec import CacheKey, Training
from papertables.store import Store
from papertables.training import Run, Trainer, snapshot, trained_values

from .small_world import CLASSES, SIDE, World, mapped_spec
from .test_jobs import learners

WIDTH, DEPTH, RANK, CLASS_COUNT = 24, 2, 3, 5
TINY = {
    "architecture": "vit_tiny_patch16_224",
    "settings": {"img_size": SIDE, "depth": DEPTH, "embed_dim": WIDTH, "num_heads": 2},
}
OPTIONS = METHODS["lora"].options | {"rank": RANK}
ADAPTERS = DEPTH * RANK * 4 * WIDTH


def vit(**settings):
    return timm.create_model("vit_tiny_patch16_224", **({"img_size": SIDE, "num_classes": 10} | settings))
