"""Learned prompts: CoCoOp's in one call against a loop over images, the cut text tower against the whole one, and
packed runs against single ones. One thread; run with ``python benchmarks/prompts.py``."""

import gc
import timeit
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

from papertables.backbones import clip, mini
from papertables.backbones.prompts import TextPrompts
from papertables.methods.inputs import MethodInputs
from papertables.methods.table import METHODS, build
from papertables.specs.spec import Training
from papertables.training import forward as passes
from papertables.training.loop import Trainer
from papertables.training.run import Run

NAMES = tuple(f"{colour} {form}" for colour in ("red", "green", "blue") for form in ("ring", "star", "square", "heart"))
TRAINING = Training(
    epochs=1,
    batch_size=1,
    optimizer={"name": "sgd", "lr": 0.002, "momentum": 0.9},
    schedule={"name": "constant"},
    precision="fp32",
)


def seconds(work: Callable[[], object], repeat: int = 5) -> float:
    """The best of some turns."""
    work()
    return min(timeit.repeat(work, gc.enable, number=1, repeat=repeat))


def learner(tower: clip.FrozenClip, method: str, seed: int = 0) -> torch.nn.Module:
    given = MethodInputs(
        image_size=tower.image_size,
        mean=tower.mean,
        std=tower.std,
        logit_scale=tower.logit_scale,
        seed=seed,
        text=tower.text,
        class_names=NAMES,
        embedding_width=tower.model.text_projection.shape[1],
    )
    return build(method, METHODS[method].options, given)


def towers() -> dict[str, clip.FrozenClip]:
    """The tiny ViT, and a random model with the text tower of CLIP ViT-B/16 beside a small image tower."""
    text = CLIPTextCfg(context_length=77, vocab_size=49408, width=512, heads=8, layers=12)
    image = CLIPVisionCfg(layers=3, width=64, head_width=16, patch_size=8, image_size=mini.SIDE)
    return {
        "mini ViT": clip.FrozenClip(mini.load("mini-vit", mini.WEIGHTS / "mini-vit.safetensors")),
        "text tower of ViT-B/16": clip.FrozenClip(CLIP(512, image, text)),
    }


def cut_against_whole(tower: clip.FrozenClip) -> float:
    prompts = learner(tower, "coop").prompts(NAMES)
    room = tower.model.context_length - prompts.embeddings.shape[1]
    filler = torch.zeros(len(prompts), room, prompts.embeddings.shape[2])
    whole = replace(prompts, embeddings=torch.cat([prompts.embeddings, filler], 1))

    def step(made: TextPrompts, encode: Callable) -> None:
        encode(made).sum().backward(retain_graph=True)

    cut = seconds(lambda: step(prompts, tower.encode_prompts), 3)
    return seconds(lambda: step(whole, tower._encode_prompts), 3) / cut


def together_against_loop(tower: clip.FrozenClip, images: int = 16) -> float:
    made, features = learner(tower, "cocoop"), torch.randn(images, tower.model.text_projection.shape[1])

    def one_call() -> None:
        passes.text_features(tower, [made], [NAMES], [features])

    def loop() -> None:
        for feature in features:
            passes.text_features(tower, [made], [NAMES], [feature[None]])

    with torch.inference_mode():
        return seconds(loop, 3) / seconds(one_call, 3)


def packed_against_single(tower: clip.FrozenClip, method: str, batch: int, runs: int = 6) -> float:
    """A training step of runs together against one after the other."""

    def step(chosen: Sequence[Run]) -> None:
        trainer = Trainer(chosen, tower, torch.device("cpu"), tower.image_size, batch)
        images = [torch.rand(batch, 3, tower.image_size, tower.image_size) for _ in chosen]
        labels = [torch.arange(batch) % len(NAMES) for _ in chosen]
        trainer.step(chosen, images, labels, [[0.002]] * len(chosen))

    made = [Run(str(i), learner(tower, method, i), TRAINING, i, rows=None, names=NAMES) for i in range(runs)]
    single = seconds(lambda: [step([run]) for run in made])
    return single / seconds(lambda: step(made))


def main() -> None:
    torch.set_num_threads(1)
    for name, tower in towers().items():
        print(f"{name}, {len(NAMES)} classes")
        print(f"  77 tokens take {cut_against_whole(tower):.1f} times as long as cut prompts (CoOp)")
        print(f"  a loop over 16 images takes {together_against_loop(tower):.1f} times as long as one call (CoCoOp)")
        for method, batch in (("coop", 32), ("cocoop", 1), ("maple", 4), ("dept", 4)):
            ratio = packed_against_single(tower, method, batch)
            print(f"  six runs alone take {ratio:.1f} times as long as together ({method}, batch {batch})")


if __name__ == "__main__":
    main()
