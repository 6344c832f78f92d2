"""Frozen classifiers: torchvision's and timm's models with weights trained on ImageNet, and the mini ones.

A job has one of them, and imports no more than that one's library.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

import torch
from torch import Tensor, nn

from papertables.backbones.catalog import Backbone
from papertables.backbones.convolutions import lighten_convolutions
from papertables.backbones.state import read_state, refusal
from papertables.base.errors import UserError, unknown

HEAD = {"torchvision": "fc", "timm": "head", "mini_classifier": "head"}  # the last layer, by kind
PRETRAINED_VIT = (  # names of pytorch_pretrained_vit and timm's for the same tensors
    (r"^class_token$", "cls_token"),
    (r"^positional_embedding\.pos_embedding$", "pos_embed"),
    (r"^patch_embedding\.", "patch_embed.proj."),
    (r"^transformer\.(blocks\.\d+)\.proj\.", r"\1.attn.proj."),
    (r"^transformer\.(blocks\.\d+)\.pwff\.", r"\1.mlp."),
    (r"^transformer\.", ""),
    (r"^fc\.", "head."),
)


class FrozenClassifier:
    """A classifier in evaluation mode (batch norm with its stored statistics) and fp32, cut before its last layer.
    Nothing in it is trained; gradients pass to the pixels.

    whole: the classifier without its last layer, but with batch norm as it was published, for who trains a copy of it.
    image_size: side P. mean, std: of the pixels, per channel. weight (S, D) and bias (S,): the last layer, so that
    the source logits are ``encode_image(x) @ weight.T + bias``. labels: the names of the S source classes.
    """

    def __init__(self, model: nn.Module, backbone: Backbone, device: str | torch.device = "cpu"):
        self.whole = model.float().eval().requires_grad_(False)
        head = getattr(self.whole, HEAD[backbone.kind], None)
        if not isinstance(head, nn.Linear):
            raise UserError(
                f"{backbone.id}: the last layer of {backbone.architecture} is no linear '{HEAD[backbone.kind]}': "
                f"{backbone.mend}"
            )
        setattr(self.whole, HEAD[backbone.kind], nn.Identity())
        if backbone.kind == "mini_classifier":
            from papertables.backbones.blocks import lighten

            lighten(self.whole)
        self.device = torch.device(device)
        traceable = backbone.kind != "timm"  # not all of whose models torch can follow
        self.model, self.memory_format = lighten_convolutions(self.whole, self.device, traceable)
        self.image_size = backbone.image_size
        self.mean, self.std = backbone.mean, backbone.std
        self.weight, self.bias = (each.detach().to(device) for each in (head.weight, head.bias))
        self.labels = source_labels(backbone)

    def encode_image(self, pixels: Tensor) -> Tensor:
        """(B, 3, P, P), normalised, to penultimate features (B, D)."""
        return self.model(pixels.to(memory_format=self.memory_format))


def load(backbone: Backbone, weights: Path, device: str | torch.device = "cpu") -> FrozenClassifier:
    """The classifier from its file of weights. Raises UserError where the file does not hold such a model."""
    state = read_state(backbone, weights)
    with torch.device("meta"):  # no time for random weights
        model = build(backbone)
    try:
        renamed = from_pretrained_vit(state) if backbone.kind == "timm" and "class_token" in state else state
        model.load_state_dict({key: _single(value) for key, value in renamed.items()}, assign=True)
    except (KeyError, RuntimeError) as error:
        raise refusal(backbone, weights, state, error) from None
    return FrozenClassifier(model, backbone, device)


def build(backbone: Backbone) -> nn.Module:
    """The whole model with random weights. Raises UserError for an architecture of a user's that is none."""
    match backbone.kind:
        case "torchvision":
            import torchvision

            _known(backbone, torchvision.models.list_models(torchvision.models))
            return torchvision.models.get_model(backbone.architecture, weights=None)
        case "timm":
            import timm

            _known(backbone, timm.list_models())
            return timm.create_model(backbone.architecture)
        case "mini_classifier":
            from papertables.backbones import mini_classifiers

            return mini_classifiers.build(backbone.architecture)
        case kind:
            raise ValueError(f"{backbone.id} is no classifier but of kind {kind}")


def _known(backbone: Backbone, names: Iterable[str]) -> None:
    """Raises UserError for an architecture that the library does not have."""
    where = f"config: weights: {backbone.id}: architecture"
    if backbone.architecture not in names:
        near = get_close_matches(backbone.architecture, list(names), n=5, cutoff=0)
        raise UserError(f"{where}: {unknown(f'model of {backbone.kind}', backbone.architecture, near)}")


def source_labels(backbone: Backbone) -> tuple[str, ...]:
    """The names of the S source classes in the order of the logits.

    ImageNet's are torchvision's, sorted by WordNet id, for all: pytorch_pretrained_vit checks its conversion by the
    giant panda at 388, and facebookresearch/WSL-Images loads the ResNeXt into torchvision's own class.
    """
    if backbone.kind == "mini_classifier":
        from papertables.backbones.mini_classifiers import labels

        return labels(backbone.architecture)
    from torchvision.models import ResNet18_Weights

    return tuple(ResNet18_Weights.IMAGENET1K_V1.meta["categories"])


def from_pretrained_vit(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """timm's names for a state dict of the package pytorch_pretrained_vit (lukemelas/PyTorch-Pretrained-ViT), whose
    queries, keys and values have a linear layer each.

    Both are the ViT of google-research/vision_transformer: norm first, layer norm with ε = 1e-6, exact GELU, class
    token in front, heads as contiguous rows. Raises KeyError where keys or values are missing.
    """
    renamed = {}
    for key, value in state.items():
        for pattern, name in PRETRAINED_VIT:
            key = re.sub(pattern, name, key)
        renamed[key] = value
    for key in [key for key in renamed if ".attn.proj_q." in key]:
        parts = [renamed.pop(key.replace("proj_q", f"proj_{letter}")) for letter in "qkv"]  # (D, D) or (D,) each
        renamed[key.replace("proj_q", "qkv")] = torch.cat(parts)  # (3 D, D) or (3 D,)
    return renamed


def _single(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value
