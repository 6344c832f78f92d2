"""Frozen CLIP towers on open_clip: OpenAI's state dicts, open_clip's own models and the mini ones."""

from difflib import get_close_matches
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from papertables.backbones import mini
from papertables.backbones.blocks import Alike, lighten
from papertables.backbones.calls import PROMPTS_PER_CALL
from papertables.backbones.catalog import Backbone
from papertables.backbones.convolutions import lighten_convolutions
from papertables.backbones.openclip import (
    CLIP,
    OPENAI_DATASET_MEAN,
    OPENAI_DATASET_STD,
    SimpleTokenizer,
    build_model_from_openai_state_dict,
    create_model,
    list_models,
)
from papertables.backbones.prompts import ImagePrompts, Text, TextPrompts
from papertables.backbones.state import read_state, refusal
from papertables.base.errors import UserError, unknown

NOT_WEIGHTS = (
    "input_resolution",
    "context_length",
    "vocab_size",
    "attn_mask",
)  # may lie in an archive beside them


class FrozenClip:
    """Both towers of a CLIP in evaluation mode and fp32. Nothing in it is trained; gradients pass to the
    pixels.

    image_size: side P. mean, std: of the pixels, per channel. logit_scale: logarithm of the scale of
    cosines, ().
    """

    def __init__(self, model: CLIP, device: str | torch.device = "cpu"):
        self.device = torch.device(device)
        size = model.visual.image_size
        self.image_size: int = size if isinstance(size, int) else size[0]
        self.mean = tuple(getattr(model.visual, "image_mean", None) or OPENAI_DATASET_MEAN)
        self.std = tuple(getattr(model.visual, "image_std", None) or OPENAI_DATASET_STD)
        self.model = lighten(model.float().eval().requires_grad_(False)).to(device)
        self.model.visual, self.memory_format = lighten_convolutions(self.model.visual, self.device)
        self.logit_scale = self.model.logit_scale.detach()
        self.tokenizer = SimpleTokenizer(context_length=model.context_length)

    def encode_image(self, pixels: Tensor) -> Tensor:
        """(B, 3, P, P), normalised, to features (B, D) of any length."""
        return self.model.encode_image(pixels.to(memory_format=self.memory_format))

    def encode_prompted(self, pixels: Tensor, prompts: ImagePrompts) -> Tensor:
        """As ``encode_image``, with learned tokens behind the patches (MaPLe). Raises UserError for a tower that is no
        ViT."""
        visual, own = self.model.visual, prompts.tokens.shape[1]
        if not hasattr(visual, "ln_pre"):
            raise UserError("prompts beside image patches need a ViT: take another backbone")
        patches = visual._embeds(pixels)
        x = torch.cat([patches, visual.ln_pre(prompts.tokens)], dim=1)  # (B, patches + n, V)
        for depth, block in enumerate(visual.transformer.resblocks):
            if 0 < depth <= len(prompts.deep):
                x = torch.cat([x[:, :-own], prompts.deep[depth - 1]], dim=1)
            x = block(x)
        pooled, _ = visual._pool(x[:, : patches.shape[1]])
        return pooled @ visual.proj

    def encode_prompts(self, prompts: TextPrompts) -> Tensor:
        """Features (N, D) of any length. Many prompts go through in chunks, of which only the inputs are kept for the
        gradient."""
        count = max(1, PROMPTS_PER_CALL // prompts.family) * prompts.family
        parts = [prompts.part(first, count) for first in range(0, len(prompts), count)]
        if len(parts) == 1 or not torch.is_grad_enabled():
            return torch.cat([self._encode_prompts(part) for part in parts])
        return torch.cat([checkpoint(self._encode_prompts, part, use_reentrant=False) for part in parts])

    @property
    def text(self) -> Text:
        """What prompts are built from."""
        model, visual = self.model, self.model.visual
        blocks = getattr(getattr(visual, "transformer", None), "resblocks", ())
        return Text(
            encode=self.tokenizer.encode,
            embed=lambda tokens: model.token_embedding(tokens.to(self.device)),
            start=self.tokenizer.sot_token_id,
            end=self.tokenizer.eot_token_id,
            length=model.context_length,
            width=model.token_embedding.weight.shape[1],
            blocks=len(model.transformer.resblocks),
            image_width=visual.conv1.out_channels if len(blocks) else 0,
            image_blocks=len(blocks),
        )

    def encode_text(self, sentences: list[str], batch: int = 256) -> Tensor:
        """Features (N, D) of any length. Sentences of similar length go through together, cut at the
        longest one's end token: under the causal mask nothing behind it reaches the pooled end token."""
        tokens = self.tokenizer(sentences).to(self.device)  # (N, context)
        ends = tokens.argmax(1)  # the end token has the highest number
        order = ends.argsort(stable=True)
        with torch.inference_mode():
            parts = [self._encode_tokens(tokens[rows, : int(ends[rows].max()) + 1]) for rows in order.split(batch)]
            return torch.cat(parts)[order.argsort()]

    def _encode_tokens(self, tokens: Tensor) -> Tensor:
        """(N, L) to (N, D)."""
        embedded = self.model.token_embedding(tokens)
        return self._encode_prompts(TextPrompts(embedded, tokens.argmax(1), (tokens.shape[1],), family=len(tokens)))

    def _encode_prompts(self, prompts: TextPrompts) -> Tensor:
        model, (count, length, _) = self.model, prompts.embeddings.shape
        alike = Alike(count, length, prompts.family, prompts.shared)
        x = alike.rows(prompts.embeddings + model.positional_embedding[:length])  # (T, W)
        replaced = alike.places(prompts.at).flatten() if prompts.deep else None
        *blocks, last = model.transformer.resblocks
        steps = [*(block.texts for block in blocks), partial(last.texts, ends=prompts.ends)]
        for depth, step in enumerate(steps):
            if 0 < depth <= len(prompts.deep):
                x = x.index_copy(0, replaced, prompts.deep[depth - 1].flatten(0, 1).to(x.dtype))
            x = step(x, model.attn_mask[:length, :length], alike)
        return model.ln_final(x) @ model.text_projection


def load(backbone: Backbone, weights: Path, device: str | torch.device = "cpu") -> FrozenClip:
    """The backbone from its file of weights. Raises UserError where the file does not hold such a model."""
    if backbone.kind == "mini":
        return FrozenClip(mini.load(backbone.architecture, weights), device)
    state = read_state(backbone, weights)
    try:
        model = of_openai(state) if backbone.kind == "clip" else _of_open_clip(backbone, state)
    except (KeyError, RuntimeError) as error:
        raise refusal(backbone, weights, state, error) from None
    clip = FrozenClip(model, device)
    if clip.image_size != backbone.image_size:
        raise UserError(f"{weights}: a model for {clip.image_size} pixels, {backbone.id} takes {backbone.image_size}")
    clip.mean, clip.std = backbone.mean or clip.mean, backbone.std or clip.std
    return clip


def of_openai(state: dict[str, Tensor]) -> CLIP:
    """From tensors with OpenAI's names; ViT or ModifiedResNet, with QuickGELU as OpenAI trained them. All become fp32,
    none is rounded. Raises KeyError or RuntimeError where the tensors are others."""
    state = _single(state)
    model = build_model_from_openai_state_dict(dict(state)).float()
    model.load_state_dict(state)  # again: the builder has rounded them
    return model


def _of_open_clip(backbone: Backbone, state: dict[str, Tensor]) -> CLIP:
    """open_clip's model of the architecture's name, with its own activation; in fp32. Raises UserError where there is
    no such CLIP, RuntimeError where the tensors are others."""
    where, name = f"config: weights: {backbone.id}: architecture", backbone.architecture
    if name not in list_models():
        near = get_close_matches(name, list_models(), n=5, cutoff=0)
        raise UserError(f"{where}: {unknown('model of open_clip', name, near)}")
    try:
        model = create_model(name, pretrained=None)
    except RuntimeError:  # a tower of a library that is not imported here (``openclip``)
        model = None
    if not isinstance(model, CLIP) or not hasattr(model.visual, "conv1"):
        raise UserError(f"{where}: {name} is no CLIP as OpenAI's: name one such as ViT-B-32 or ViT-B-32-quickgelu")
    model.load_state_dict(_single(state))
    return model


def _single(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.float() for key, value in state.items() if key not in NOT_WEIGHTS}
