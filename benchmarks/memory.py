"""The memory that training steps, tests and searches take on a GPU, counted without one: writes what `plan` reads.

Every method, backbone and precision of the paper scale runs its forward pass on fake CUDA tensors, which have shapes,
types and devices, but no contents: a wrong device or type fails as it would on a GPU, and what autograd keeps is
counted, or in a test what is alive at once. Two numbers of images, and of classes where prompts are learned, tell what
each of them takes.

python benchmarks/memory.py
"""

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from papertables.backbones.clip import FrozenClip
from papertables.base.files import read_yaml, write_atomic
from papertables.data.splits import chosen_labels
from papertables.methods.learner import BaseLearner
from papertables.methods.table import METHODS
from papertables.planning.memory import TABLE, Row, kind_of, write_table
from papertables.planning.plan import make_plan
from papertables.results.searches import all_combinations
from papertables.specs.spec import RunSpec, SearchSpec
from papertables.training.forward import image_features, text_features
from papertables.training.loop import PRECISIONS
from papertables.training.memory import kept_bytes, step_bytes
from papertables.training.search import Search
from papertables.training.trial import Tower, random_tower, trial

ROOT = Path(__file__).parents[1]
GPU = torch.device("cuda:0")
MODE = FakeTensorMode(allow_non_fake_inputs=True)
LAID = ("embedded", "index", "ends")  # of a layout, what lies on the device
FEW, MANY = 10, 20  # classes
CLASSES = 40  # where no prompts are learned
BASES = ("color", "shape", "size", "texture", "function")  # in place of those that a language model would name


class Alive(TorchDispatchMode):
    """``most``: bytes that were alive at once of the tensors made meanwhile. What is ``known`` lies there anyway."""

    def __init__(self, known: Iterable[Tensor]):
        super().__init__()
        self.now = self.most = 0
        self.kept = {each.untyped_storage() for each in known}
        self.seen = {*map(id, self.kept)}

    def __torch_dispatch__(self, function, types, given=(), named=None):
        made = function(*given, **(named or {}))
        for storage in (each.untyped_storage() for each in tree_leaves(made) if isinstance(each, Tensor)):
            if id(storage) not in self.seen:
                self.seen.add(id(storage))
                self.now += storage.nbytes()
                weakref.finalize(storage, self._gone, id(storage), storage.nbytes())
        self.most = max(self.most, self.now)
        return made

    def _gone(self, storage: int, size: int) -> None:
        self.seen.remove(storage)
        self.now -= size


def kinds() -> dict[tuple, RunSpec | SearchSpec]:
    """By what decides its memory, a run or a search of the paper scale: of several the one with the longest prompts."""
    plan, found = make_plan(ROOT, read_yaml(ROOT / "config.yaml") | {"scale": "paper", "artefacts": "all"}), {}
    for run in (run for job in plan.jobs.values() for run in job.trained):
        known = found.setdefault(kind_of(run), run)
        if run.options.get("context", 0) > known.options.get("context", 0):
            found[kind_of(run)] = run
    return dict(sorted((found | {kind_of(search): search for search in plan.searches.values()}).items()))


@contextmanager
def fake(precision: str) -> Iterator[None]:
    """Fake tensors on a GPU, with autocast as on one: torch would not switch it on where there is no driver."""
    dtype = PRECISIONS.get(precision)
    before = torch.is_autocast_enabled("cuda"), torch.get_autocast_dtype("cuda")
    torch.set_autocast_enabled("cuda", dtype is not None)
    torch.set_autocast_dtype("cuda", dtype or before[1])
    try:
        with MODE, patch.object(F, "scaled_dot_product_attention", fused_attention):
            yield
    finally:
        torch.clear_autocast_cache()
        torch.set_autocast_enabled("cuda", before[0])
        torch.set_autocast_dtype("cuda", before[1])


def fused_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    **settings,
) -> Tensor:
    """As a GPU computes attention, without keeping a weight for every pair of tokens; on fake tensors torch would."""
    given = [query, key, value, attn_mask]
    if torch.is_autocast_enabled("cuda"):
        given = [each if each is None else each.to(torch.get_autocast_dtype("cuda")) for each in given]
    *tensors, mask = given
    mask = mask if mask is None else mask.expand(*query.shape[:-1], key.shape[-2])
    return torch.ops.aten._scaled_dot_product_efficient_attention(*tensors, mask, True, dropout_p, is_causal)[0]


def on_gpu(value: Tensor) -> Tensor:
    """A fake of it there."""
    with MODE:
        return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=GPU)


def to_gpu(*modules: nn.Module) -> None:
    """Fakes take the place of their parameters and buffers; of what several share, one."""
    made: dict[Tensor, Tensor] = {}  # holds the originals, so that no other comes to lie where one was
    for held in (held for module in modules for each in module.modules() for held in (each._parameters, each._buffers)):
        for name, value in held.items():
            if value is not None:
                if value not in made:
                    made[value] = nn.Parameter(on_gpu(value), value.requires_grad) if _learned(value) else on_gpu(value)
                held[name] = made[value]


def _learned(value: Tensor) -> bool:
    return isinstance(value, nn.Parameter)


@cache
def towers(name: str) -> tuple[Tower, Tower]:
    """A tower from which learners are made, and its fake."""
    tower, other = random_tower(name), random_tower(name, "meta")
    to_gpu(other.model)
    if isinstance(other, FrozenClip):
        other.device = GPU
    return tower, other


def placed(spec: RunSpec, classes: int) -> tuple[Tower, BaseLearner, tuple[str, ...], list[Tensor]]:
    """On a GPU: the tower, the learner of a run, the names of its classes, and all tensors that both consist of."""
    tower, gpu = towers(spec.backbone)
    made = trial(spec, tower, classes)
    learner = made.learner
    if prompting := getattr(learner, "prompting", None):  # laid out where places have contents
        laid = prompting.laid(made.names)
        prompting._laid[made.names, GPU] = laid._replace(**{name: on_gpu(getattr(laid, name)) for name in LAID})
        if hasattr(learner, "_at"):
            places = prompting.deep_places(made.names, learner._at)
            prompting._deep[made.names, GPU] = places._replace(at=on_gpu(places.at))
    if spec.teacher:  # which keeps nothing for a gradient
        learner.teacher = lambda pixels: torch.empty(len(pixels), classes, device=GPU)
    to_gpu(learner, *getattr(learner, "_tower", ()))
    return gpu, learner, made.names, held(learner, gpu.model, *getattr(learner, "_tower", ()))


def held(*modules: nn.Module) -> list[Tensor]:
    return [value for module in modules for value in (*module.parameters(), *module.buffers())]


def measured(spec: RunSpec, classes: int, images: int) -> int:
    """The bytes that a step's forward pass keeps on a GPU. Raises what a GPU would of shapes, types and devices."""
    gpu, learner, names, known = placed(spec, classes)
    with fake(spec.training.precision):
        pixels = torch.empty(images, 3, spec.image_size, spec.image_size, device=GPU)
        labels = torch.empty(images, dtype=torch.long, device=GPU)
        return step_bytes(gpu, learner.train(), names, pixels, labels, known)


def looked(spec: RunSpec, classes: int, images: int) -> tuple[int, int]:
    """The bytes that are alive at once in a test in fp32: while images go through their tower, and prompts theirs."""
    gpu, learner, names, known = placed(spec, classes)
    learner.eval()

    def alive(work: Callable[[], Sequence[Tensor]]) -> tuple[int, Tensor]:
        with Alive(known) as counted:
            (made,) = work()
        return counted.most, made

    with fake("fp32"), torch.no_grad():
        shape = (images, 3, spec.image_size, spec.image_size)
        seen, features = alive(lambda: image_features(gpu, [learner], [torch.empty(shape, device=GPU)]))
        return seen, alive(lambda: text_features(gpu, [learner], [names], [features]))[0]


def searched(spec: SearchSpec, classes: int) -> tuple[int, int]:
    """The bytes that the prompts of all attributes at once keep, and how many tokens they are."""
    tower, gpu = towers(spec.backbone)
    names = tuple(f"painted thing {number}" for number in range(classes))
    bases = spec.bases or BASES
    search = Search(tower.text, tower.logit_scale, names, all_combinations(bases, spec.sizes), spec.context)
    longest = len(search.combinations) - 1  # the last has all bases
    tokens = search.shared[longest] + classes * (search.lengths[longest] - search.shared[longest])
    to_gpu(search)
    with fake("fp32"):
        return kept_bytes(lambda: gpu.encode_prompts(search.prompts([longest])), held(search, gpu.model)), tokens


def search_row(spec: SearchSpec) -> Row:
    (few, fewer), (many, more) = (searched(spec, classes) for classes in (FEW, MANY))
    token = (many - few) / (more - fewer)
    return in_mb(spec, towers(spec.backbone)[:1], 0, 0, token, 0, 0)


def row(spec: RunSpec | SearchSpec) -> Row:
    """Of one kind: what there is whatever a batch holds, and what each image and each prompt adds."""
    if isinstance(spec, SearchSpec):
        return search_row(spec)
    learns = "context" in spec.options
    base = 1 if spec.training.batch_size == 1 else 2
    few = FEW if learns else CLASSES
    one, two = measured(spec, few, base), measured(spec, few, base + 2)
    image, prompt = (two - one) / 2, 0.0
    fixed = one - base * image
    if learns:
        counts = [len(chosen_labels(classes, spec.trained_classes)) for classes in (FEW, MANY)]
        more = measured(spec, MANY, base)
        per_class = (more - one) / (counts[1] - counts[0])
        per_image = "cocoop" in (spec.method, spec.options.get("prompt"))
        prompt = per_class / base if per_image else per_class
        fixed -= 0 if per_image else counts[0] * prompt
        image -= counts[0] * prompt if per_image else 0
    look_image = 0.0 if METHODS[spec.method].leaves_images else (looked(spec, few, 4)[0] - looked(spec, few, 2)[0]) / 2
    look_prompt = 0.0
    if learns:
        each = base if per_image else 1
        look_prompt = (looked(spec, MANY, base)[1] - looked(spec, FEW, base)[1]) / (counts[1] - counts[0]) / each
    used = [towers(name)[0] for name in (spec.backbone, *([spec.teacher.backbone] if spec.teacher else []))]
    return in_mb(spec, used, fixed, image, prompt, look_image, look_prompt)


def in_mb(spec: RunSpec | SearchSpec, used: Iterable[Tower], *parts: float) -> Row:
    """Of the towers that are used, and of the parts in bytes."""
    weights = sum(value.nbytes for tower in used for value in held(tower.model))
    return Row(*kind_of(spec), *(round(value / 1e6, 2) for value in (weights, *parts)))


def main() -> None:
    rows = []
    for spec in kinds().values():
        rows.append(row(spec))
        print(*rows[-1], flush=True)
    write_atomic(TABLE, write_table(rows).encode())


if __name__ == "__main__":
    main()
