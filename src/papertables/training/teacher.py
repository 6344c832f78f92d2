"""What a student is given of its teacher: class vectors and logits of images."""

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from papertables.backbones.clip import FrozenClip
from papertables.backbones.frozen_features import frozen_features
from papertables.backbones.prompts import ImagePrompts
from papertables.base.errors import UserError
from papertables.results.searches import read_search
from papertables.results.store import Store
from papertables.specs.rules import TeacherFiles
from papertables.specs.spec import RunSpec
from papertables.training.forward import text_features
from papertables.training.learners import make_learner, prompt_names


class Teacher:
    """A teacher: its ``vectors`` of all classes (C, D), the logarithm of its ``scale`` (), its tokens beside patches
    (n, V), and its ``tower``, by device. Called with normalised images (B, 3, P, P) it gives its logits (B, C)."""

    def __init__(
        self, vectors: Tensor, scale: Tensor, prompts: ImagePrompts, tower: Callable[[torch.device], FrozenClip]
    ):
        self.vectors, self.scale, self.prompts, self.tower = vectors, scale, prompts, tower

    def __call__(self, pixels: Tensor) -> Tensor:
        tokens, *deep = (own.to(pixels.device) for own in (self.prompts.tokens, *self.prompts.deep))
        features = self.tower(pixels.device).encode_prompted(pixels, ImagePrompts.of_all(tokens, deep, len(pixels)))
        vectors, scale = self.vectors.to(pixels.device), self.scale.to(pixels.device)
        return scale.exp() * F.normalize(features, dim=-1) @ vectors.T


@torch.no_grad()
def make_teacher(files: TeacherFiles, store: Store, tower: FrozenClip) -> Teacher:
    """The teacher as it was after its last epoch, with the text features of all classes, those it was never trained on
    too. Raises UserError where it diverged, and where its learner is not of its spec."""
    run, frozen = files.run, frozen_features(files.frozen, lambda: tower)
    learner = make_learner(run, frozen, {}, tower, read_search(Path(files.search)).winner if files.search else ())
    load_teacher(learner, run, store)
    learner = learner.to(tower.device).eval()
    (texts,) = text_features(tower, [learner], [prompt_names(frozen.class_names, "all")], [None])
    prompts = learner.image_prompts(1)
    tokens = ImagePrompts(prompts.tokens[0].detach(), tuple(own[0].detach() for own in prompts.deep))
    return Teacher(F.normalize(texts, dim=-1), tower.logit_scale, tokens, lambda _: tower)


def load_teacher(learner: torch.nn.Module, run: RunSpec, store: Store) -> None:
    """Gives a learner what its run learned. Raises UserError where the run diverged, and where it is of another depth
    or length: prompts that are not there would stay random."""
    if store.record(run.id).diverged:
        raise UserError(
            f"{run.id}: this teacher diverged, and no student learns from it: change its training, or have the tables "
            "without these students with --config partial=true"
        )
    kept, known = store.state(run.id, "last"), learner.state_dict()
    for name in sorted(known.keys() | kept.keys()):
        shapes = [tuple(each[name].shape) if name in each else "nothing" for each in (known, kept)]
        if shapes[0] != shapes[1]:
            raise UserError(
                f"{store.learner(run.id)}: {name} is {shapes[1]}, its spec has {shapes[0]}: this teacher is of another "
                "depth or length: delete its folder and run again"
            )
    learner.load_state_dict(kept)
