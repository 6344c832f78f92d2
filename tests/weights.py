"""Random weights in the formats in which backbones are published."""

import logging
import math
from pathlib import Path

import timm
import torch
import torchvision
from open_clip import create_model
from open_clip.model import convert_weights_to_lp
from torch import Tensor, nn

from papertables.backbones.catalog import Backbone

State = dict[str, Tensor]


def write(entry: Backbone, path: Path) -> None:
    """The file of weights of a backbone at its true architecture: of a CLIP OpenAI's TorchScript archive with halves
    and whole numbers beside, of a classifier the state dict of its library, or of pytorch_pretrained_vit."""
    torch.manual_seed(0)
    if entry.kind == "clip":
        sizes = {"input_resolution": entry.image_size, "context_length": 77, "vocab_size": 49408}
        state = _random(_openai(entry.architecture)) | {name: torch.tensor(size) for name, size in sizes.items()}
        torch.jit.script(_tree(state)).save(str(path))
    elif "PyTorch-Pretrained-ViT" in entry.urls[0]:
        torch.save(pretrained_vit(768, 384, 32, 3072, 12), path)
    else:
        with torch.device("meta"):
            if entry.kind == "timm":
                model = timm.create_model(entry.architecture)
            else:
                model = torchvision.models.get_model(entry.architecture, weights=None)
        torch.save(_random(model.state_dict()), path)


def _openai(architecture: str) -> State:
    """OpenAI's names and types, without values; the mask is no tensor of theirs."""
    logging.getLogger().addFilter(lambda record: "Model initialized randomly" not in record.getMessage())
    model = create_model(architecture, pretrained=None, device="meta")
    convert_weights_to_lp(model)
    return {name: value for name, value in model.state_dict().items() if name != "attn_mask"}


def _random(state: State) -> State:
    """Values at which features neither vanish nor explode."""
    found = {}
    for name, value in state.items():
        if name.endswith("logit_scale"):
            found[name] = torch.tensor(math.log(100), dtype=value.dtype)
        elif name.endswith(("running_var", ".weight")) and value.ndim == 1:
            found[name] = torch.ones(value.shape, dtype=value.dtype)
        elif value.ndim < 2:
            found[name] = torch.zeros(value.shape, dtype=value.dtype)
        else:
            deviation = value[0].numel() ** -0.5 if value.ndim > 2 or "proj" in name or "fc" in name else 0.02
            found[name] = (torch.randn(value.shape) * deviation).to(value.dtype)
    return found


def _tree(state: State) -> nn.Module:
    """Modules within modules that hold tensors by their names."""
    root = nn.Module()
    for name, value in state.items():
        *path, leaf = name.split(".")
        module = root
        for part in path:
            if part not in module._modules:
                module.add_module(part, nn.Module())
            module = module._modules[part]
        module.register_buffer(leaf, value)
    return root


def pretrained_vit(width, side, patch, mlp, depth, classes=1000):
    """Random tensors with the names and shapes of pytorch_pretrained_vit. What enters the first block is small enough
    for the ε of its layer norm to count."""
    tokens = 1 + (side // patch) ** 2
    shapes = {
        "class_token": (1, 1, width),
        "positional_embedding.pos_embedding": (1, tokens, width),
        "patch_embedding.weight": (width, 3, patch, patch),
        "patch_embedding.bias": (width,),
        "norm.weight": (width,),
        "norm.bias": (width,),
        "fc.weight": (classes, width),
        "fc.bias": (classes,),
    }
    for block in range(depth):
        linear = dict.fromkeys(("attn.proj_q", "attn.proj_k", "attn.proj_v", "proj"), (width, width))
        linear |= {"pwff.fc1": (mlp, width), "pwff.fc2": (width, mlp), "norm1": (width,), "norm2": (width,)}
        for name, shape in linear.items():
            shapes[f"transformer.blocks.{block}.{name}.weight"] = shape
            shapes[f"transformer.blocks.{block}.{name}.bias"] = shape[:1]
    small = ("class_token", "positional_embedding", "patch_embedding")
    return {name: torch.randn(shape) * (1e-3 if name.startswith(small) else 0.1) for name, shape in shapes.items()}
