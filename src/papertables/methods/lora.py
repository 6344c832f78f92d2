"""LoRA (Hu et al., ICLR 2022) on a ViT's attention, beside a new last layer (SMM, table 13)."""

import copy
import re

from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from papertables.base.errors import UserError
from papertables.methods.inputs import MethodInputs
from papertables.methods.learner import BaseLearner
from papertables.methods.outputs import output
from papertables.methods.pixels import Plain
from papertables.methods.seeding import seeded

QKV = r"blocks\.\d+\.attn\.qkv"  # timm's linear layer to queries, keys and values in one


class Learner(BaseLearner):
    """``features`` go through a tower of the learner's own, where every x W (D, 3 D) of an attention becomes
    x W + x A B: A (D, rank) is drawn from the run's seed, B (rank, 3 D) begins at 0.

    Its parameters and state are A, B and the last layer. The frozen weights stay those of ``given.tower``, on their
    device. Raises UserError for a tower that is no ViT of timm's.
    """

    def __init__(self, given: MethodInputs, rank: int, mapping: str, laplace: float, ratio: float):
        super().__init__()
        self.pixels = Plain(given)
        with seeded(given.seed):
            tower = adapted(given.tower, rank)
        layers = [layer for layer in tower.modules() if isinstance(layer, LoraLayer)]
        self.adapters = nn.ModuleList(
            nn.ModuleDict({"A": layer.lora_A.default, "B": layer.lora_B.default}) for layer in layers
        )
        self._tower = (tower,)  # in a tuple, so that its frozen weights are no parameters of the learner
        self.logits = output(given, mapping, laplace, ratio)

    def features(self, pixels: Tensor) -> Tensor:
        """(B, 3, P, P), normalised, to (B, D)."""
        return self._tower[0](pixels)


def adapted(tower: nn.Module, rank: int) -> nn.Module:
    """A copy of a frozen ViT with adapters of scale 1 (α = rank), without dropout, which alone are trained. It shares
    the ViT's tensors, so that a copy takes no memory. Raises UserError for a tower without ``blocks.*.attn.qkv``."""
    if not any(re.fullmatch(QKV, name) for name, _ in tower.named_modules()):
        raise UserError(f"LoRA: {type(tower).__name__} has no layers blocks.*.attn.qkv to adapt: take a ViT of timm's")
    shared = {id(tensor): tensor for tensor in (*tower.parameters(), *tower.buffers())}
    return inject_adapter_in_model(
        LoraConfig(r=rank, lora_alpha=rank, target_modules=QKV), copy.deepcopy(tower, shared)
    )
