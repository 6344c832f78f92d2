"""Two tiny CLIPs of the mini world, a ViT and a ModifiedResNet: open_clip models, pretrained here and shipped.

Only the token rows that the world's grammar uses are trained and stored. Every other token takes one row that was
trained on nonsense words, so that any sentence can be encoded.
"""

import math
import time
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from papertables.backbones.openclip import CLIP, CLIPTextCfg, CLIPVisionCfg, SimpleTokenizer
from papertables.backbones.pixels import Normalise
from papertables.backbones.pretraining import fit, make_optimizers, write_record
from papertables.data.miniworld import draw, grammar

SIDE = 48  # pixels
EMBED = 64
VISION = {
    "mini-vit": CLIPVisionCfg(
        layers=3, width=64, head_width=16, patch_size=8, image_size=SIDE, pos_embed_type="sin_cos_2d", pool_type="avg"
    ),
    "mini-rn": CLIPVisionCfg(layers=(1, 1, 1, 1), width=12, head_width=64, image_size=SIDE),
}
RECIPE = {  # steps, learning rates of AdamW and of Muon (for matrices), share of batches of one colour, images of
    # large plain figures for the first batches, whose text tower is taken over and locked
    "mini-vit": {"steps": 3000, "lr": 3e-3, "muon": 0.02, "one_colour": 0.5, "plain": 6000, "text_of": "mini-rn"},
    "mini-rn": {"steps": 2400, "lr": 1.5e-3, "muon": None, "one_colour": 0.0, "plain": 0, "text_of": None},
}
EASY_UNTIL = 0.4  # of the steps
TEXT = {"width": 64, "heads": 4, "layers": 2}
TEXT_TOWER = ("token_embedding", "positional_embedding", "transformer", "ln_final", "text_projection")
WEIGHTS = Path(__file__).parent / "weights"
TEMPLATE = "This is a photo of {}."
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@cache
def tokenizer() -> SimpleTokenizer:
    return SimpleTokenizer()


@cache
def known_tokens() -> Tensor:
    """The tokens of the grammar's words, start and end included, ascending, (R,)."""
    return tokenizer()(grammar.words()).unique()[1:]  # 0 is padding


def build(name: str, vocab_size: int = 49408) -> CLIP:
    """The open_clip model with random weights."""
    return CLIP(EMBED, VISION[name], CLIPTextCfg(vocab_size=vocab_size, **TEXT))


def compact(tokens: Tensor) -> Tensor:
    """Tokens (N, 77) as rows of the stored table, 0 for unknown ones, cut at the longest text: (N, L).

    The order of tokens is kept, so that the end token still is the largest of its row, where open_clip pools.
    """
    known = known_tokens()
    tokens = tokens[:, : int(tokens.argmax(dim=1).max()) + 1].contiguous()
    rows = torch.searchsorted(known, tokens).clamp(max=len(known) - 1)
    return torch.where(known[rows] == tokens, rows + 1, 0)


def encode_text(model: CLIP, tokens: Tensor) -> Tensor:
    """Unit text features (N, D) of tokens (N, L), L of any length: the causal mask makes the rest irrelevant."""
    length = tokens.shape[1]
    x = model.token_embedding(tokens) + model.positional_embedding[:length]  # (N, L, width)
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:length, :length]))
    return F.normalize(x[torch.arange(len(x)), tokens.argmax(dim=1)] @ model.text_projection, dim=-1)


def to_input(images: np.ndarray) -> Tensor:
    """uint8 (N, SIDE, SIDE, 3) -> normalised float (N, 3, SIDE, SIDE)."""
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    return Normalise(MEAN, STD)(x)


def sample_images(
    count: int, rng: np.random.Generator, fixed: draw.Scene | None = None
) -> tuple[list[draw.Scene], np.ndarray]:
    """Scenes of the world, some attributes ``fixed``, and their images at the backbones' size, (N, SIDE, SIDE, 3)
    uint8."""
    scenes = [draw.sample_scene(rng) | (fixed or {}) for _ in range(count)]
    images = (Image.fromarray(draw.draw(scene, rng)) for scene in scenes)
    return scenes, np.stack([np.asarray(x.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) for x in images])


def crop(x: Tensor, smallest: float, rng: np.random.Generator) -> Tensor:
    """A random window on each image (N, C, H, W), resized to its size; one in five mirrored.

    The window has that share of the image's area or more, up to 1.5: then the image has a frame of zeros around it.
    """
    area, ratio = rng.uniform(smallest, 1.5, (len(x), 1)), rng.uniform(0.85, 1.18, (len(x), 1))
    side = np.sqrt(np.concatenate([area * ratio, area / ratio], axis=1))  # (N, 2), width and height
    shift = rng.uniform(-1, 1, (len(x), 2)) * abs(1 - side)
    side[:, 0] *= np.where(rng.random(len(x)) < 0.2, -1, 1)
    theta = np.concatenate([side[:, :, None] * np.eye(2), shift[:, :, None]], axis=2)  # (N, 2, 3)
    grid = F.affine_grid(torch.from_numpy(theta).float(), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def contrastive_loss(logits: Tensor, true: Tensor) -> Tensor:
    """CLIP's symmetric loss for logits (B, B), the target shared among all pairs that are true, (B, B) bool.

    As a divergence: zero when the shares are met.
    """
    by_image, by_text = (F.normalize(pairs.float(), p=1, dim=1) for pairs in (true, true.T))
    divergence = partial(F.kl_div, reduction="batchmean")
    return (divergence(logits.log_softmax(1), by_image) + divergence(logits.T.log_softmax(1), by_text)) / 2


def pretrain(
    name: str,
    out: Path,
    steps: int | None = None,
    seed: int = 0,
    batch: int = 128,
    pool: int = 20000,
    evaluate: int = 2000,
    log=print,
) -> dict:
    """Trains a tiny CLIP on the mini world; writes ``out`` (.safetensors) and its record beside it (.json).

    steps: None for the recipe's. pool: images drawn beforehand; crops and captions are drawn anew at every step.
    Crops grow bolder over the first half, so that few-shot training finds its augmentation familiar.
    The ViT takes over the shipped ResNet's text tower; batches of one colour, large plain figures at first and Muon
    make it tell shapes apart: alone it needs several times as many steps. Returns the record, with the loss of every
    step under ``losses`` (which the file leaves out).
    """
    recipe = RECIPE[name]
    steps = steps or recipe["steps"]
    pool = min(pool, steps * batch)
    plain = min(recipe["plain"], pool)
    began = time.perf_counter()
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    rng = np.random.default_rng([seed, 0])
    scenes, images = sample_images(pool, rng)
    values = np.stack([grammar.one_hot(scene) for scene in scenes])  # (pool, V)
    easy = np.arange(plain) + pool
    if plain:
        plain_scenes, plain_images = sample_images(plain, rng, {"size": "large", "texture": "plain"})
        scenes, images = scenes + plain_scenes, np.concatenate([images, plain_images])
        values = np.stack([grammar.one_hot(scene) for scene in scenes])
    everything, colours = np.arange(pool), np.array([scene["colour"] for scene in scenes[:pool]])
    by_colour = [np.flatnonzero(colours == colour) for colour in draw.ATTRIBUTES["colour"]]
    log(f"{name}: drew {pool} images in {time.perf_counter() - began:.0f} s")

    model = build(name, len(known_tokens()) + 1).train()
    if recipe["text_of"]:
        weights = load_file(WEIGHTS / f"{recipe['text_of']}.safetensors")
        state = {key: value.float() for key, value in weights.items() if key.startswith(TEXT_TOWER)}
        model.load_state_dict(state, strict=False)
        for key, parameter in model.named_parameters():
            if key.startswith(TEXT_TOWER):
                parameter.requires_grad_(False)
    optimizers = make_optimizers(model, recipe)
    optimizers[0].register_step_post_hook(lambda *_: model.logit_scale.data.clamp_(0, math.log(100)))

    def loss(step: int) -> Tensor:
        kin = by_colour[rng.integers(len(by_colour))] if rng.random() < recipe["one_colour"] else everything
        if len(easy) and rng.random() < 1 - step / (EASY_UNTIL * steps):
            kin = easy
        chosen = rng.choice(kin, batch, replace=len(kin) < batch)
        captions, claims = zip(*(grammar.caption(scenes[i], rng) for i in chosen), strict=True)
        true = torch.from_numpy(grammar.agreement(values[chosen], np.stack(claims)))
        views = crop(to_input(images[chosen]), 1 - 0.75 * min(1, 2 * step / steps), rng)
        image = F.normalize(model.encode_image(views), dim=-1)
        text = encode_text(model, compact(tokenizer()(list(captions))))
        return contrastive_loss(model.logit_scale.exp() * image @ text.T, true)

    def keep(count: int) -> dict[str, float]:
        save_file(shrink(model), out)
        return accuracies(load(name, out), count, seed)

    record = {
        "command": f"papertables.backbones.mini.pretrain({name!r}, out, {steps=}, {seed=}, {batch=}, {pool=})",
        "world_seed": seed,
        "text_tower_of": recipe["text_of"],
    }
    losses = fit(name, optimizers, steps, loss, keep, log)
    return write_record(out, record, losses, keep(evaluate))


def shrink(model: CLIP) -> dict[str, Tensor]:
    """The trained weights in half precision, with the token of each stored row (row 0: any other token)."""
    state = {key: value.half() if value.is_floating_point() else value for key, value in model.state_dict().items()}
    return {key: value.contiguous() for key, value in state.items()} | {"tokens": known_tokens()}


def load(name: str, path: Path | None = None) -> CLIP:
    """The tiny CLIP of that name: fp32, frozen, in evaluation mode, with open_clip's whole vocabulary.

    path: weights other than the shipped ones. Raises KeyError for an unknown name.
    """
    state = load_file(path or WEIGHTS / f"{name}.safetensors")
    rows, tokens = state.pop("token_embedding.weight"), state.pop("tokens")
    model = build(name)
    table = rows[:1].expand(model.vocab_size, -1).clone()
    table[tokens] = rows[1:]
    state["token_embedding.weight"] = table
    model.load_state_dict({key: value.float() if value.is_floating_point() else value for key, value in state.items()})
    return model.eval().requires_grad_(False)


def label_spaces() -> dict[str, list[draw.Scene]]:
    """What zero-shot accuracy is measured on: per space, the classes as the attributes that define them."""
    shapes, colours = draw.SHAPES, draw.ATTRIBUTES["colour"]
    return {
        "shapes": [{"form": shape} for shape in shapes],
        "colours": [{"colour": colour} for colour in colours],
        "pairs": [{"form": shape, "colour": colour} for shape in shapes for colour in colours],
        "digits": [{"form": digit} for digit in draw.DIGITS],
    }


@torch.no_grad()
def accuracies(model: CLIP, count: int, seed: int) -> dict[str, float]:
    """Zero-shot accuracy in % per label space on ``count`` images that pretraining with this seed never drew."""
    scenes, images = sample_images(count, np.random.default_rng([seed, 1]))
    features = torch.cat([model.encode_image(to_input(part)) for part in np.array_split(images, 1 + count // 500)])
    result = {}
    for space, classes in label_spaces().items():
        names = [" ".join(cls[key] for key in ("colour", "form") if key in cls) for cls in classes]
        text = encode_text(model, tokenizer()([TEMPLATE.format(name) for name in names]))
        guesses = (features @ text.T).argmax(dim=1).tolist()
        forms = draw.DIGITS if space == "digits" else draw.ATTRIBUTES["form"] if space == "colours" else draw.SHAPES
        asked = [
            (scene, classes[guess]) for scene, guess in zip(scenes, guesses, strict=True) if scene["form"] in forms
        ]
        result[space] = round(100 * sum(guess.items() <= scene.items() for scene, guess in asked) / len(asked), 1)
    return result
