"""Blocks of frozen transformers: open_clip's, with the same numbers by fewer steps.

All tokens of a batch are the rows of one matrix. open_clip's attention takes a batch apart, so that its backward on a
CPU multiplies sequence by sequence. Where one token of each sequence is read behind the last block, that block computes
no other, which saves ten of its twelve products.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from papertables.backbones.openclip import QuickGELU, ResidualAttentionBlock, VisionTransformer

STEEPNESS = 1.702  # of QuickGELU, x · sigmoid(1.702 x)


class Block(nn.Module):
    """In evaluation mode. It takes over the parts of open_clip's block, under their names. first: whether the first
    token of each sequence is wanted alone."""

    def __init__(self, block: ResidualAttentionBlock, first: bool = False):
        super().__init__()
        self.ln_1, self.attn, self.ls_1 = block.ln_1, block.attn, block.ls_1
        self.ln_2, self.mlp, self.ls_2 = block.ln_2, block.mlp, block.ls_2
        self.first = first
        if isinstance(self.mlp.gelu, QuickGELU):
            self.mlp.gelu = FusedQuickGELU()

    def forward(self, x: Tensor, attn_mask: Tensor | None = None, at: Tensor | None = None) -> Tensor:
        """Tokens (B, L, W) to tokens. attn_mask: (L, L), added to scores. at: (B,), the token of each sequence that is
        wanted alone, which gives (B, 1, W)."""
        if self.first:
            at = torch.zeros(len(x), dtype=torch.long, device=x.device)
        x, seen = self._attend(x, attn_mask) if at is None else self._attend_from(at, x, attn_mask)
        x = x + self.ls_1(self.attn.out_proj(seen))
        return x + self.ls_2(self.mlp(self.ln_2(x)))

    def _attend(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """The tokens, and what they see, (B, L, W)."""
        joined = F.linear(self.ln_1(x), self.attn.in_proj_weight, self.attn.in_proj_bias)  # (B, L, 3 W)
        query, key, value = joined.unflatten(2, (3, self.attn.num_heads, -1)).permute(2, 0, 3, 1, 4)
        return x, _joined(F.scaled_dot_product_attention(query, key, value, attn_mask=mask))

    def _attend_from(self, at: Tensor, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """The tokens at these places, and what they see, (B, 1, W)."""
        width, heads, normed = x.shape[2], self.attn.num_heads, self.ln_1(x)
        own, others = self.attn.in_proj_weight.split([width, 2 * width])
        own_bias, others_bias = self.attn.in_proj_bias.split([width, 2 * width])
        query = F.linear(_chosen(normed, at), own, own_bias).unflatten(2, (heads, -1)).transpose(1, 2)
        key, value = F.linear(normed, others, others_bias).unflatten(2, (2, heads, -1)).permute(2, 0, 3, 1, 4)
        mask = None if mask is None else mask[at][:, None, None]  # (B, 1, 1, L)
        return _chosen(x, at), _joined(F.scaled_dot_product_attention(query, key, value, attn_mask=mask))


class FusedQuickGELU(nn.Module):
    """QuickGELU by a function that keeps one tensor for the gradient in place of two."""

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(STEEPNESS * x) / STEEPNESS


def lighten(model: nn.Module) -> nn.Module:
    """Puts a ``Block`` in the place of each of open_clip's; blocks of other kinds stay. The last one of an image tower
    that reads its first token is told so. Returns the model."""
    for module in list(model.modules()):
        if isinstance(getattr(module, "resblocks", None), nn.ModuleList):
            blocks = module.resblocks
            for i, block in enumerate(blocks):
                if type(block) is ResidualAttentionBlock:
                    blocks[i] = Block(block)
    for tower in model.modules():
        if isinstance(tower, VisionTransformer) and tower.pool_type == "tok" and tower.attn_pool is None:
            last = tower.transformer.resblocks[-1]
            last.first = isinstance(last, Block)
    return model


def _chosen(x: Tensor, at: Tensor) -> Tensor:
    """(B, L, W) to (B, 1, W)."""
    return x[torch.arange(len(x), device=x.device), at][:, None]


def _joined(heads: Tensor) -> Tensor:
    """(B, heads, L, w) to (B, L, W)."""
    return heads.transpose(1, 2).flatten(2)
