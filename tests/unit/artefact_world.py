"""A small artefact with made-up accuracies: VP (seeds 1 and 2) and zero-shot (no seed) on two data sets."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from papertables.backbones.catalog import backbone
from papertables.data.catalog import dataset
from papertables.planning.axes import Value
from papertables.planning.planned import Cell, Member, PlannedArtefact
from papertables.planning.published import COLUMNS
from papertables.planning.scope import Scope
from papertables.results.metrics import Divergence, Epoch, Metrics, Score
from papertables.specs.artefact import Artefact
from papertables.specs.config import Config
from papertables.specs.paper import Paper
from papertables.specs.rules import ArtefactFiles
from papertables.specs.scale import Scale
from papertables.specs.spec import Fidelity, RunSpec

TRAINING = {
    "epochs": 4,
    "batch_size": 64,
    "optimizer": {"name": "sgd", "lr": 40},
    "schedule": {"name": "cosine_step"},
}
LEARNER = save({"best.x": np.zeros(1), "last.x": np.zeros(1)})
PAPER = Paper(
    id="attrvr",
    title="A paper on 100 % _prompts_ & images",
    venue="ICLR 2025",
    code="none",
    order=1,
    selection="best",
    selection_source="its scripts",
    datasets=("dtd", "eurosat"),
    protocol="few_shot",
    shots=16,
    seeds=(1, 2),
    training=TRAINING,
    training_source="its parsers",
    methods={
        "zero_shot": {"label": "Zero-shot", "method": "zero_shot", "source": "none"},
        "vp": {"label": "VP", "method": "vp", "source": "none"},
    },
    fidelity={
        "few_shot_draw": {"published": "shared", "repaired": "per_seed", "evidence": "read in the source"},
        "attribute_stream": {"published": "global", "repaired": "private", "evidence": "verified"},
    },
)
PAPER_SCALE = Scale(
    name="paper", title="The published protocol", runs_per_job=1, threads=1, device="cpu", compares=True
)
MINI_SCALE = Scale(
    name="mini",
    title="Small",
    runs_per_job=1,
    threads=1,
    device="cpu",
    compares=False,
    papers={"attrvr": {"datasets": ("dtd", "eurosat"), "backbones": {"clip_vit_b16": "mini-vit"}}},
)
# by method and data set: one accuracy per seed, best epoch first, then the last epoch
ACCURACY = {
    ("zero_shot", "dtd"): [(40.0, 40.0)],
    ("zero_shot", "eurosat"): [(50.0, 50.0)],
    ("vp", "dtd"): [(60.0, 58.0), (62.0, 61.0)],
    ("vp", "eurosat"): [(90.0, 89.0), (94.0, 80.0)],
}


def artefact(**changes) -> Artefact:
    declared = {
        "id": "attrvr_table1",
        "paper": "attrvr",
        "title": "Main results",
        "rows": {"vary": "method", "values": ["zero_shot", "vp"]},
        "columns": {"vary": "dataset", "values": "all"},
        "average": True,
        "fixed": {"backbone": "clip_vit_b16"},
        "published": [{"file": "table1.csv", "average": "Average(2)"}],
    }
    return Artefact(**declared | changes)


def run(method: str, data: str, seed: int | None) -> RunSpec:
    return RunSpec(
        method=method,
        options={"pad": 30} if seed else {},
        backbone="clip_vit_b16",
        dataset=data,
        protocol="few_shot",
        image_size=224,
        shots=16 if seed else None,
        seed=seed,
        training=TRAINING if seed else None,
        fidelity=Fidelity(),
    )


def scope(comparable: bool = True, selection: str = "best") -> Scope:
    return Scope(PAPER, PAPER_SCALE if comparable else MINI_SCALE, config(selection=selection))


def member(method: str, data: str) -> Member:
    seeds = (None,) if method == "zero_shot" else (1, 2)
    label = PAPER.methods[method].label
    runs = tuple(run(method, data, seed) for seed in seeds)
    settings = scope().settings({}, {"method": method, "dataset": data})
    described = (label, backbone("clip_vit_b16"), dataset(data).label, runs, settings, settings.declared)
    return Member(*described, (runs[0].target,))


def methods() -> tuple[Value, ...]:
    return tuple(Value(id, each.label, each.label, {"method": id}) for id, each in PAPER.methods.items())


def planned(comparable: bool = True, selection: str = "best", **changes) -> PlannedArtefact:
    """Methods × data sets."""
    columns = tuple(Value(id, dataset(id).label, dataset(id).label, {"dataset": id}) for id in PAPER.datasets)
    cells = tuple(Cell(row, column, (member(row.key, column.key),)) for row in methods() for column in columns)
    return PlannedArtefact(artefact(**changes), scope(comparable, selection), methods(), columns, cells)


def keeping_best() -> PlannedArtefact:
    """Of last epochs, but for VP, whose released code keeps the best."""
    last = replace(planned(selection=None), artefact=artefact(selection="last"))
    return switched(last, "vp", kept_epoch="best")


def configured(planned: PlannedArtefact, **config) -> PlannedArtefact:
    """The same under another configuration."""
    changed = planned.scope.config.model_copy(update=config)
    return replace(planned, scope=replace(planned.scope, config=changed))


def files(folder: Path, **changes) -> ArtefactFiles:
    """Of an artefact whose runs and published numbers lie in a folder."""
    given = {"jobs": (), "published": (), "searches": (), "inspections": {}, "manifests": {}}
    return ArtefactFiles(**(given | {"published_folder": str(folder), "store": str(folder / "runs")} | changes))


def pooled() -> PlannedArtefact:
    """Methods × one backbone, every cell the average over both data sets."""
    column = Value("clip_vit_b16", "CLIP ViT-B/16", "CLIP ViT-B/16", {"backbone": "clip_vit_b16"})
    cells = tuple(Cell(row, column, tuple(member(row.key, id) for id in PAPER.datasets)) for row in methods())
    changes = {
        "columns": {"vary": "backbone", "values": ["clip_vit_b16"]},
        "pool": {"vary": "dataset", "values": "all"},
        "average": False,
        "fixed": {},
    }
    return PlannedArtefact(artefact(**changes), scope(), methods(), (column,), cells)


def metrics_of(spec: RunSpec, best: float | None = None, last: float | None = None) -> Metrics:
    """Of 100 test images; the best epoch is that in the middle. Without accuracies: diverged in epoch 1, step 17, so
    that none was tested."""
    ended = spec.training.epochs if spec.training else 0
    scores = best is not None
    images = 1000 if spec.training else 100
    return Metrics(
        run=spec.id,
        spec=spec,
        fingerprint={"data": "d0", "backbone": "b0", "attributes": None, "method": "c0", "numerics": 1},
        outcome="finished" if scores else "diverged",
        diverged=None if scores else {"epoch": 1, "step": 17},
        curve=curve(best, last, ended) if scores and ended else [],
        evaluations=[
            {
                "dataset": spec.dataset,
                "images": 100,
                "best": {"epoch": ended // 2, "accuracy": best} if scores else None,
                "last": {"epoch": ended, "accuracy": last} if scores else None,
            }
        ],
        parameters=10 if spec.training else 0,
        cost={
            "seconds": 2.5,
            "images": images,
            "images_per_second": images / 2.5,
            "peak_memory_mb": 512.0,
            "group_size": 2,
            "device": "cpu",
        },
        versions={"torch": "2.12.0", "open_clip": "3.3.0"},
        git_commit="0123456789abcdef",
    )


def curve(best: float, last: float, epochs: int) -> list[Epoch]:
    """The best accuracy after half of the epochs, the last one after the last, and none correct before and between."""
    half = epochs // 2
    accuracies = [*[0.0] * (half - 1), best, *[0.0] * (epochs - half - 1), last]
    return [
        Epoch(epoch=i, lr=1, train_loss=2, train_accuracy=50, test_accuracy=accuracy)
        for i, accuracy in enumerate(accuracies, start=1)
    ]


def ended(spec: RunSpec, best: float) -> Metrics:
    """Diverged in epoch 3, step 17, with an accuracy of epoch 2, which was the last to be tested."""
    whole = metrics_of(spec)
    score = Score(epoch=2, accuracy=best)
    own = whole.evaluations[0].model_copy(update={"best": score, "last": score})
    place = Divergence(epoch=3, step=17)
    return whole.model_copy(update={"evaluations": [own], "diverged": place, "curve": curve(best, 0, 4)[:2]})


def under(planned: PlannedArtefact, on_nonfinite: str) -> PlannedArtefact:
    """The same runs under another rule for losses that are not finite."""
    return switched(planned, "", on_nonfinite=on_nonfinite)


def switched(planned: PlannedArtefact, method: str, **fidelity: str) -> PlannedArtefact:
    """The same runs, of a method alone if one is named, with other switches."""

    def changed(run: RunSpec) -> RunSpec:
        return run.model_copy(update={"fidelity": Fidelity(**fidelity)}) if method in ("", run.method) else run

    def cell(each: Cell) -> Cell:
        members = (replace(member, runs=tuple(map(changed, member.runs))) for member in each.members)
        return replace(each, members=tuple(members))

    return replace(planned, cells=tuple(map(cell, planned.cells)))


def metrics() -> dict[str, Metrics]:
    """Every run of ``planned``, finished."""
    found = [
        metrics_of(each, *scores)
        for (method, data), accuracies in ACCURACY.items()
        for each, scores in zip(member(method, data).runs, accuracies, strict=True)
    ]
    return {each.run: each for each in found}


def published(folder: Path, **values: str) -> Path:
    """``table1.csv`` with VP's row; ``values`` override or, empty, leave out: DTD, EuroSAT, Average."""
    row = {"DTD": "61.4", "EuroSAT": "91.2", "Average": "76.3"} | values
    with (folder / "table1.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for name, value in row.items():
            name = "Average(2)" if name == "Average" else name
            about = ["AttrVR", "T1", "16-shot, mean of 3 seeds", "CLIP ViT-B/16", name, "VP", "acc"]
            writer.writerow([*about, value, "", "quoted somewhere"])
    return folder


def config(**changes) -> Config:
    return Config(**changes)
