"""The memory that a training step takes on a GPU, as counted on fake tensors (``python benchmarks/memory.py``)."""

import csv
import io
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from papertables.backbones.catalog import backbone
from papertables.base.errors import UserError
from papertables.data.catalog import dataset
from papertables.data.splits import chosen_labels
from papertables.planning.plan import Plan
from papertables.specs.spec import RunSpec

TABLE = Path(__file__).with_suffix(".csv")
MASK = ("layers", "patch", "channels", "width")  # options of a mask network
BACKWARD = 1.35  # peak of a step by what its forward pass keeps
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
    each image and each prompt. variant: a mask network's options, one after the other, a student's teacher, or what
    DePT stands on."""

    method: str
    backbone: str
    precision: str
    variant: str
    weights: float
    fixed: float
    image: float
    prompt: float


class Need(NamedTuple):
    """Of a step, in GB: the whole batch at once, and one image. images: of a batch that go through together."""

    whole: float
    least: float
    images: int
    batch: int

    @property
    def is_cut(self) -> bool:
        return self.images < self.batch


def kind_of(run: RunSpec) -> tuple[str, str, str, str]:
    """What decides the memory of a run's step, beside its batch and its classes."""
    mask = "-".join(str(run.options[name]) for name in MASK) if "patch" in run.options else ""
    teacher = run.teacher.backbone if run.teacher else ""
    return run.method, run.backbone, run.training.precision, mask or teacher or run.options.get("prompt", "")


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


def need(run: RunSpec, gigabytes: float) -> Need | None:
    """Of a training step on a GPU of so much memory; None of a run that trains nothing, or whose kind was never
    counted."""
    row = run.training and table().get(kind_of(run))
    if not row:
        return None
    batch = run.training.batch_size_for(run.shots)
    classes = len(chosen_labels(dataset(run.dataset).classes, run.trained_classes))
    per_image = "cocoop" in (run.method, run.options.get("prompt"))
    image = row.image + (classes * row.prompt if per_image else 0)
    fixed = row.fixed + (0 if per_image else classes * row.prompt)
    there = row.weights + CONTEXT
    fit = ((1000 * gigabytes - there) / BACKWARD - fixed) / image if image else batch
    whole, least = ((there + BACKWARD * (fixed + count * image)) / 1000 for count in (batch, 1))
    return Need(whole, least, max(0, min(batch, int(fit))), batch)


def memory_cell(plan: Plan, artefacts: Iterable[str]) -> str:
    """The most that a step of these artefacts takes where none is cut; a dash where nothing is trained."""
    needs = _needs(plan, artefacts).values()
    return f"{max(each.whole for each in needs):.1f} GB" if needs else "–"


def memory_notes(plan: Plan, artefacts: Iterable[str]) -> list[str]:
    """What the column of memory rests on, and which batches are cut. Raises UserError where one image does not fit."""
    gpu, cut = plan.config.gpu, {}
    for (method, tower), each in _needs(plan, artefacts).items():
        if not each.images:
            raise UserError(
                f"{method} with {backbone(tower).label}: one image takes {each.least:.0f} GB, the {gpu} has "
                f"{GPU_MEMORY[gpu]}: plan for another one, such as --config gpu=H100"
            )
        if each.is_cut:
            cut.setdefault((each.batch, backbone(tower).label, each.images), []).append(method)
    told = [
        f"{', '.join(methods)} with {label}: {images} of {batch} images at a time"
        for (batch, label, images), methods in cut.items()
    ]
    basis = f"Memory: counted, of one run's largest training step; searches not. The {gpu} has {GPU_MEMORY[gpu]} GB."
    cuts = f"Batches that it has to cut, with the same result but for batch norm: {'; '.join(told)}."
    return [basis, cuts] if told else [basis]


def _needs(plan: Plan, artefacts: Iterable[str]) -> dict[tuple[str, str], Need]:
    """By method and backbone, the largest."""
    found: dict[tuple[str, str], Need] = {}
    for run in (run for id in artefacts for run in plan.artefacts[id].runs):
        each = need(run, GPU_MEMORY[plan.config.gpu])
        if each and each > found.get((run.method, run.backbone), ()):
            found[run.method, run.backbone] = each
    return found
