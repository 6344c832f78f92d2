"""What a student is given of its teacher: a file of the DAG with its class vectors and its prompts of images."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from papertables.backbones import checked_tower
from papertables.backbones.clip import FrozenClip
from papertables.backbones.frozen_features import read_frozen_features, read_tensors, write_tensors
from papertables.backbones.prompts import ImagePrompts
from papertables.base.device import pick_device
from papertables.base.errors import UserError
from papertables.results.searches import read_search
from papertables.results.store import Store
from papertables.specs.rules import ClassVectorsJob, TeacherFiles
from papertables.specs.spec import RunSpec
from papertables.training.forward import text_features
from papertables.training.learners import make_learner, prompt_names


@torch.inference_mode()
def make_class_vectors(job: ClassVectorsJob, store: Store, out: Path, device: str = "cpu", threads: int = 1) -> None:
    """Writes ``out``, of a teacher after its last epoch: its unit text features ``vectors`` (C, D) of all classes,
    those it was never trained on too, its tokens beside patches ``tokens`` (n, V) and ``deep.0``, …, and
    ``logit_scale`` (). Raises UserError where it diverged, or where its learner is not of its spec."""
    torch.set_num_threads(threads)
    frozen = read_frozen_features(Path(job.frozen))
    tower = checked_tower(job.run.backbone, job.weights, job.own_weights, pick_device(device))
    winner = read_search(Path(job.search)).winner if job.search else ()
    learner = make_learner(job.run, frozen, {}, tower, winner)
    load_teacher(learner, job.run, store)
    learner = learner.to(tower.device).eval()
    names = prompt_names(frozen.class_names, "all")
    (texts,) = text_features(tower, [learner], [names], [None])
    prompts = learner.image_prompts(1)
    tensors = {"vectors": F.normalize(texts, dim=-1), "logit_scale": tower.logit_scale, "tokens": prompts.tokens[0]}
    tensors |= {f"deep.{block}": own[0] for block, own in enumerate(prompts.deep)}
    write_tensors(out, tensors, {"run": job.run.id})


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


class Teacher:
    """A teacher: its ``vectors`` of all classes (C, D), the logarithm of its ``scale`` (), and its tokens beside
    patches (n, V). Called with normalised images (B, 3, P, P) it gives its logits (B, C); its tower is loaded for the
    first of these, to their device."""

    def __init__(
        self, vectors: Tensor, scale: Tensor, prompts: ImagePrompts, load: Callable[[torch.device], FrozenClip]
    ):
        self.vectors, self.scale, self.prompts, self.load = vectors, scale, prompts, load
        self.tower: FrozenClip | None = None

    def __call__(self, pixels: Tensor) -> Tensor:
        self.tower = self.tower or self.load(pixels.device)
        tokens, *deep = (own.to(pixels.device) for own in (self.prompts.tokens, *self.prompts.deep))
        features = self.tower.encode_prompted(pixels, ImagePrompts.of_all(tokens, deep, len(pixels)))
        vectors, scale = self.vectors.to(pixels.device), self.scale.to(pixels.device)
        return scale.exp() * F.normalize(features, dim=-1) @ vectors.T


def read_teacher(files: TeacherFiles) -> Teacher:
    """Raises UserError where the file is damaged, and the teacher later, where its weights are not those."""
    with read_tensors(Path(files.vectors)) as (tensors, _):
        blocks = range(sum(name.startswith("deep.") for name in tensors))
        prompts = ImagePrompts(tensors["tokens"], tuple(tensors[f"deep.{block}"] for block in blocks))
        load = partial(checked_tower, files.backbone, files.weights, files.own_weights)
        return Teacher(tensors["vectors"], tensors["logit_scale"], prompts, load)
