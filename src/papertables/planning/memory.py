"""The memory that jobs take on a GPU, as counted on fake tensors (``python benchmarks/memory.py``): the most of a
training step of all runs that step together, of a test, and of a search."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from papertables.backbones.calls import BACKWARD, IMAGES_PER_CALL, PROMPTS_PER_CALL, TOKENS_PER_CALL
from papertables.backbones.catalog import backbone
from papertables.base.errors import UserError
from papertables.data.catalog import dataset
from papertables.data.splits import chosen_labels
from papertables.planning.jobs import Job
from papertables.planning.plan import Plan
from papertables.planning.work import search_prompts, test_images, text_tower, trained_images
from papertables.specs.spec import RunSpec, SearchSpec, Target, agreeing

TABLE = Path(__file__).with_suffix(".csv")
MASK = ("layers", "patch", "channels", "width")  # options of a mask network
SEARCH = "search"  # in the place of a method
COPIES = 4  # of all prompts of a search, that are there at once
GPU_MEMORY = {  # GB, of the smaller card where two have a name
    "T4": 16,
    "V100": 16,
    "RTX 3090": 24,
    "RTX 4090": 24,
    "A100": 40,
    "L40S": 48,
    "H100": 80,
    "H200": 141,
}
CONTEXT = 1000.0  # MB, of CUDA and its libraries


class Row(NamedTuple):
    """Of one kind of run, in MB: the weights, what a forward pass keeps for the gradient whatever a batch holds, and of
    each image and each prompt; and what each of these takes in a test. variant: a mask network's options, one after the
    other, a student's teacher, or what DePT stands on. Of a search, ``prompt`` is each token."""

    method: str
    backbone: str
    precision: str
    variant: str
    weights: float
    fixed: float
    image: float
    prompt: float
    look_image: float
    look_prompt: float


class Need(NamedTuple):
    """Of runs that step together, in GB: all batches at once, or a test where that takes more; and one image of one
    run. images: of a batch that go through together, of a run by itself if they must; 0 where not one does, as where
    the prompts of all classes do not fit, of which none can be left out."""

    whole: float
    least: float
    images: int
    batch: int

    @property
    def is_cut(self) -> bool:
        return self.images < self.batch


def kind_of(spec: RunSpec | SearchSpec) -> tuple[str, str, str, str]:
    """What decides the memory of a run's step, beside its batch and its classes, or of a search."""
    if isinstance(spec, SearchSpec):
        return SEARCH, spec.backbone, "fp32", ""
    mask = "-".join(str(spec.options[name]) for name in MASK) if "patch" in spec.options else ""
    teacher = spec.teacher.backbone if spec.teacher else ""
    return spec.method, spec.backbone, spec.training.precision, mask or teacher or spec.options.get("prompt", "")


@cache
def table() -> dict[tuple[str, str, str, str], Row]:
    """By ``kind_of``."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = [Row(*line[:4], *map(float, line[4:])) for line in list(csv.reader(file))[1:]]
    return {row[:4]: row for row in rows}


def write_table(rows: Iterable[Row]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(Row._fields)
    writer.writerows(rows)
    return out.getvalue()


def need(runs: Sequence[RunSpec], gigabytes: float, targets: Iterable[Target] = ()) -> Need | None:
    """Of trained runs that step together, on a GPU of so much memory; None where one is of a kind that was never
    counted. targets: what they are scored on beside their own test."""
    if not all(kind_of(run) in table() for run in runs):
        return None
    batch = runs[0].training.batch_size_for(runs[0].shots)
    together = max(1, IMAGES_PER_CALL["cuda"] // batch)  # runs
    calls = [runs[first : first + together] for first in range(0, len(runs), together)]
    weights = CONTEXT + max(_row(run).weights for run in runs)
    room = (1000 * gigabytes - weights) / BACKWARD
    step = BACKWARD * max(_kept(call, batch) for call in calls)
    test = max(_looked_at(run, {run.target, *targets}) for run in runs)
    least = max(_kept([run], 1) for run in runs)
    images = min(_fitting(run, room, batch) for run in runs)
    return Need((weights + max(step, test)) / 1000, (weights + BACKWARD * least) / 1000, images, batch)


def search_need(search: SearchSpec) -> float | None:
    """GB: a call with a gradient, and the prompts of all combinations, of which none is left out."""
    row = table().get(kind_of(search))
    if not row:
        return None
    said, (_, width) = search_prompts(search), text_tower(backbone(search.backbone))
    kept = row.fixed + min(said.tokens, TOKENS_PER_CALL) * row.prompt
    return (row.weights + CONTEXT + BACKWARD * kept) / 1000 + COPIES * 4 * said.prompts * said.longest * width / 1e9


class Memory:
    """Of a plan's jobs and searches on the GPU that is planned for, each looked at once. Nothing is counted of a
    CPU."""

    def __init__(self, plan: Plan):
        self.plan, self.card, self.counted = plan, plan.config.gpu, plan.device != "cpu"
        self.known: dict[str, list[tuple[RunSpec, Need]]] = {}  # by job

    def most(self, artefacts: Iterable[str]) -> float | None:
        """GB, the most that these artefacts take where no batch is cut; None where nothing is trained."""
        artefacts = [*artefacts] if self.counted else []
        found = [each.whole for _, each in self._jobs(artefacts)] + [size for _, size in self._searches(artefacts)]
        return max(found, default=None)

    def notes(self, artefacts: Iterable[str]) -> list[str]:
        """What the column of memory rests on, and which batches are cut. Raises UserError where one image, or a search,
        does not fit."""
        if not self.counted:
            return []
        artefacts, room = [*artefacts], GPU_MEMORY[self.card]
        too_much, cut = [(size, f"a search on {each.dataset}") for each, size in self._searches(artefacts)], {}
        for run, each in self._jobs(artefacts):
            label = backbone(run.backbone).label
            what = "one image with the prompts of all classes" if "context" in run.options else "one image"
            too_much.append((each.least, f"{run.method} with {label}: {what}"))
            if each.is_cut:
                cut.setdefault((each.batch, label), {}).setdefault(run.method, []).append(each.images)
        size, what = max(too_much, default=(0, ""))
        if size > room:
            raise self._refusal(what, size)
        told = [
            f"{method} with {label}: {min(images)} of {batch} images at a time"
            for (batch, label), methods in cut.items()
            for method, images in methods.items()
        ]
        basis = (
            "Memory: counted, the most of a training step, a test and a search; where runs of a job step together and "
            f"do not fit, fewer do. The {self.card} has {room} GB."
        )
        cuts = f"Batches that it has to cut, with the same result but for batch norm: {'; '.join(told)}."
        return [basis, cuts] if told else [basis]

    def _refusal(self, what: str, size: float) -> UserError:
        larger = next((card for card, room in GPU_MEMORY.items() if room >= size), None)
        mend = f"plan for another one, such as --config gpu={larger}" if larger else "leave it out"
        return UserError(f"{what} takes {size:.1f} GB, the {self.card} has {GPU_MEMORY[self.card]}: {mend}")

    def _jobs(self, artefacts: Sequence[str]) -> Iterator[tuple[RunSpec, Need]]:
        for job in self.plan.jobs_for(*artefacts):
            if job.id not in self.known:
                self.known[job.id] = [*self._needs(job)]
            yield from self.known[job.id]

    def _needs(self, job: Job) -> Iterator[tuple[RunSpec, Need]]:
        """Of the first of each runs that step together."""
        for runs in _together(self.plan, job):
            targets = {each for run in runs for each in self.plan.targets.get(run.id, ())}
            each = need(runs, GPU_MEMORY[self.card], targets)
            if each:
                yield runs[0], each

    def _searches(self, artefacts: Sequence[str]) -> Iterator[tuple[SearchSpec, float]]:
        """That these artefacts show, or that come before their runs."""
        chosen = [self.plan.artefacts[id] for id in artefacts]
        runs = [run.id for planned in chosen for run in planned.runs if run.id in self.plan.search_of]
        found = [*(each for planned in chosen for each in planned.searches), *map(self.plan.search_of.get, runs)]
        for search in {(each.dataset, each.backbone, each.id): each for each in found}.values():
            size = search_need(search)
            if size:
                yield search, size


def _together(plan: Plan, job: Job) -> Iterable[list[RunSpec]]:
    """A job's trained runs, by those that step together."""
    groups = defaultdict(list)
    for run in job.trained:
        groups[agreeing(run, plan.tests[run.id], trained_images(run))].append(run)
    return groups.values()


def _row(run: RunSpec) -> Row:
    return table()[kind_of(run)]


def _prompts(run: RunSpec, classes: int, images: int) -> int:
    """Of a call: one for each class, or for each class and image."""
    per_image = "cocoop" in (run.method, run.options.get("prompt"))
    return classes * (images if per_image else 1) if "context" in run.options else 0


def _kept(runs: Sequence[RunSpec], images: int) -> float:
    """MB that a call keeps with so many images of each: what it keeps whatever a batch holds, weights in half precision
    above all, once for all. Of prompts that go through in several calls one keeps them; of the others there are but the
    inputs."""
    rows = [_row(run) for run in runs]
    prompts = [_prompts(run, _classes(run.dataset, run.trained_classes), images) for run in runs]
    share = min(1.0, PROMPTS_PER_CALL / max(1, sum(prompts)))
    texts = sum(count * row.prompt for count, row in zip(prompts, rows, strict=True))
    return max(row.fixed for row in rows) + sum(images * row.image for row in rows) + share * texts


def _fitting(run: RunSpec, room: float, batch: int) -> int:
    """How many of a batch's images a run by itself keeps in so many MB; 0 where one is too much."""
    one, two = _kept([run], 1), _kept([run], 2)
    if one > room:
        return 0
    return min(batch, 1 + int((room - one) / (two - one))) if two > one else batch


def _looked_at(run: RunSpec, targets: Iterable[Target]) -> float:
    """MB of the largest call of a test."""
    row, most = _row(run), IMAGES_PER_CALL["cuda"]
    images = max(min(most, test_images(target)) for target in targets)
    prompts = max(_prompts(run, _classes(target.dataset, target.classes), most) for target in targets)
    return max(images * row.look_image, min(PROMPTS_PER_CALL, prompts) * row.look_prompt)


def _classes(name: str, chosen: str) -> int:
    return len(chosen_labels(dataset(name).classes, chosen))
