"""Convolutions of frozen models: the same numbers by fewer steps, in the order of memory in which a CPU is fast."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse


class Patches(nn.Module):
    """A convolution whose windows lie side by side, as the first of a ViT, by one product of matrices: on a CPU a
    convolution's gradient to its input takes ten times as long. It takes over its parameters, under their names."""

    def __init__(self, convolution: nn.Conv2d):
        super().__init__()
        self.weight, self.bias = convolution.weight, convolution.bias
        self.out_channels, self.side = convolution.out_channels, convolution.kernel_size[0]

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, out_channels, H // side, W // side)."""
        height, width = (self.side * (length // self.side) for length in x.shape[2:])
        windows = (
            x[..., :height, :width]
            .unflatten(3, (-1, self.side))
            .unflatten(2, (-1, self.side))
            .permute(0, 2, 4, 1, 3, 5)
        )
        return F.linear(windows.flatten(3), self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)


def lighten_convolutions(
    model: nn.Module, device: torch.device, traceable: bool = True
) -> tuple[nn.Module, torch.memory_format]:
    """The model, in evaluation mode, on a device, and the format in which it takes images. On a CPU ``Patches`` take
    their places in it. Of one with batch norm that is ``traceable`` a copy is given, in which batch norm is a part of
    the convolutions before it."""
    if device.type == "cpu":
        _put_patches(model)
    if not traceable or not any(isinstance(module, nn.BatchNorm2d) for module in model.modules()):
        return model.to(device), torch.preserve_format
    light = fuse(model).requires_grad_(False).to(device)
    if device.type != "cpu":
        return light, torch.preserve_format
    return light.to(memory_format=torch.channels_last), torch.channels_last


def _put_patches(model: nn.Module) -> None:
    for module in list(model.modules()):
        for name, own in module.named_children():
            if type(own) is nn.Conv2d and _lie_side_by_side(own):
                setattr(module, name, Patches(own))


def _lie_side_by_side(own: nn.Conv2d) -> bool:
    """Whether the windows are squares of some pixels, without a frame, that look at all channels."""
    side = own.kernel_size[0]
    plain = own.padding == (0, 0) and own.dilation == (1, 1) and own.groups == 1
    return plain and side > 1 and own.kernel_size == own.stride == (side, side)
