"""Blocks of frozen transformers: open_clip's, with the same numbers by fewer steps.

All tokens of a batch are the rows of one matrix. open_clip's attention takes a batch apart, so that its backward on a
CPU multiplies sequence by sequence. Where one token of each sequence is read behind the last block, that block computes
no other, which saves ten of its twelve products. Texts see what stands before them alone: where several begin alike,
their beginning is computed once. QuickGELU's factors are part of the weights around it.
"""

import copy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from papertables.backbones.openclip import QuickGELU, ResidualAttentionBlock, VisionTransformer

STEEPNESS = 1.702  # of QuickGELU, x · sigmoid(1.702 x), which is SiLU(1.702 x) / 1.702
QUERY, SEEN, ALL = slice(0, 1), slice(1, 3), slice(0, 3)  # of the queries, keys and values of a block


@dataclass(frozen=True)
class Alike:
    """N texts of L tokens of which each ``family``, one after the other, begin with the same ``shared`` tokens. As rows
    of a matrix they are these beginnings, family by family, and behind them what follows in every text."""

    texts: int
    length: int
    family: int
    shared: int

    @property
    def beginnings(self) -> int:
        """The rows of all beginnings."""
        return self.texts // self.family * self.shared

    def rows(self, tokens: Tensor) -> Tensor:
        """(N, L, W) to (T, W)."""
        return self.join(tokens[:: self.family, : self.shared], tokens[:, self.shared :])

    def split(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """(T, …) to the beginnings (N / family, shared, …) and what follows (N, L - shared, …)."""
        first, rest = rows[: self.beginnings], rows[self.beginnings :]
        return first.unflatten(0, (-1, self.shared)), rest.unflatten(0, (self.texts, -1))

    def join(self, first: Tensor, rest: Tensor) -> Tensor:
        """What ``split`` has taken apart."""
        return torch.cat([first.flatten(0, 1), rest.flatten(0, 1)])

    def whole(self, first: Tensor, rest: Tensor) -> Tensor:
        """By head, of beginnings (N / family, heads, shared, w) and what follows (N, heads, L - shared, w): all tokens
        of every text, (N, heads, L, w)."""
        first = first[:, None].expand(-1, self.family, -1, -1, -1)
        return torch.cat([first, rest.unflatten(0, (-1, self.family))], dim=3).flatten(0, 1)

    def places(self, at: Tensor) -> Tensor:
        """The rows (M, n) of tokens that stand at ``at``: (N, n) behind the beginnings of every text, or (N / family,
        n) in those of every family."""
        behind = len(at) == self.texts
        first, length = (self.beginnings - self.shared, self.length - self.shared) if behind else (0, self.shared)
        return first + torch.arange(len(at), device=at.device)[:, None] * length + at


class Block(nn.Module):
    """In evaluation mode. It takes over the parts of open_clip's block, under their names; a perceptron with QuickGELU
    is a copy with other values, so weights are loaded before. first: whether the first token of each sequence is wanted
    alone."""

    def __init__(self, block: ResidualAttentionBlock, first: bool = False):
        super().__init__()
        self.ln_1, self.attn, self.ls_1 = block.ln_1, block.attn, block.ls_1
        self.ln_2, self.mlp, self.ls_2 = block.ln_2, _lightened(block.mlp), block.ls_2
        self.first = first

    def forward(self, x: Tensor, attn_mask: Tensor | None = None) -> Tensor:
        """Tokens (B, L, W) to tokens, or to the first ones (B, 1, W). attn_mask: (L, L), added to scores."""
        normed = self.ln_1(x)
        if self.first:
            x = x[:, :1]
            query, key, value = *_by_head(self._project(normed[:, :1], QUERY)), *_by_head(self._project(normed, SEEN))
        else:
            query, key, value = _by_head(self._project(normed, ALL))
        return self._behind(x, _joined(F.scaled_dot_product_attention(query, key, value, attn_mask=attn_mask)))

    def texts(self, x: Tensor, mask: Tensor, alike: Alike, ends: Tensor | None = None) -> Tensor:
        """Rows (T, W) of texts to rows. mask: (L, L), added to scores, causal. ends: (N,), the token of each text that
        is wanted alone, behind its beginning; that gives (N, W)."""
        normed, shared = self.ln_1(x), alike.shared
        if ends is None:
            first, rest = (_by_head(part) for part in alike.split(self._project(normed, ALL)))
            early = F.scaled_dot_product_attention(*first, attn_mask=mask[:shared, :shared])
            query, *others, mask = rest[0], first[1:], rest[1:], mask[shared:]
        else:
            at = alike.places(ends[:, None]).squeeze(1)
            x, (query,) = x[at], _by_head(self._project(normed[at][:, None], QUERY))
            *others, mask = *map(_by_head, alike.split(self._project(normed, SEEN))), mask[ends][:, None, None]
        key, value = (alike.whole(*parts) for parts in zip(*others, strict=True))
        late = _joined(F.scaled_dot_product_attention(query, key, value, attn_mask=mask))
        return self._behind(x, late[:, 0] if ends is not None else alike.join(_joined(early), late))

    def _project(self, x: Tensor, parts: slice) -> Tensor:
        """(…, W) to (…, parts, heads, w): queries, keys and values, or some of them."""
        width = x.shape[-1]
        rows = slice(parts.start * width, parts.stop * width)
        made = F.linear(x, self.attn.in_proj_weight[rows], self.attn.in_proj_bias[rows])
        return made.unflatten(-1, (parts.stop - parts.start, self.attn.num_heads, -1))

    def _behind(self, x: Tensor, seen: Tensor) -> Tensor:
        """What a block gives of tokens (…, W) that see this."""
        x = x + self.ls_1(self.attn.out_proj(seen))
        return x + self.ls_2(self.mlp(self.ln_2(x)))


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


@torch.no_grad()
def _lightened(mlp: nn.Sequential) -> nn.Sequential:
    """A block's perceptron; of one with QuickGELU a copy whose layers hold its factors, so that it is SiLU."""
    if not isinstance(mlp.gelu, QuickGELU):
        return mlp
    mlp = copy.deepcopy(mlp)
    mlp.c_fc.weight *= STEEPNESS
    mlp.c_fc.bias *= STEEPNESS
    mlp.c_proj.weight /= STEEPNESS
    mlp.gelu = nn.SiLU()
    return mlp


def _by_head(made: Tensor) -> Tensor:
    """(B, L, parts, heads, w) to (parts, B, heads, L, w)."""
    return made.permute(2, 0, 3, 1, 4)


def _joined(heads: Tensor) -> Tensor:
    """(B, heads, L, w) to (B, L, W)."""
    return heads.transpose(1, 2).flatten(2)
