"""Planned figures with metrics, inspections and mappings behind them."""

from dataclasses import replace

import matplotlib
import numpy as np
import torch
from safetensors.numpy import save_file

from papertables.artefacts import figures
from papertables.artefacts.figures import sources
from papertables.artefacts.tables import build
from papertables.planning.axes import Value
from papertables.planning.planned import Cell
from papertables.results.inspections import Inspection
from papertables.results.metrics import Epoch
from papertables.results.store import Store
from papertables.training.mapping_history import Mappings
from tests.unit import artefact_world as world

SHOTS = (1, 4, 16)


def planned(drawing, **changes):
    return world.planned(kind="figure", drawing=drawing, **changes)


def columns_of(vary, values):
    return tuple(Value(str(value), str(value), str(value), {vary: value}) for value in values)


def against_shots():
    """Methods × shots on DTD."""
    columns = columns_of("shots", SHOTS)
    cells = []
    for row in world.methods():
        for column in columns:
            member = world.member(row.key, "dtd")
            if row.key == "vp":
                runs = tuple(run.model_copy(update={"shots": column.settings["shots"]}) for run in member.runs)
                member = replace(member, runs=runs)
            cells.append(Cell(row, column, (member,)))
    made = planned(
        "lines",
        columns={"vary": "shots", "values": SHOTS},
        fixed={"backbone": "clip_vit_b16", "dataset": "dtd"},
        average=False,
    )
    return replace(made, columns=columns, cells=tuple(cells))


def metrics_by_shots(artefact):
    """VP: shots + 40 with seed 1, 2 more with seed 2; zero-shot: 30."""
    values = {run.id: (run.shots + 38 + 2 * run.seed if run.seed else 30.0) for run in artefact.runs}
    return {run.id: world.metrics_of(run, values[run.id], values[run.id]) for run in artefact.runs}


def with_curves(metrics, every=2):
    """Each trained run: loss 3 − epoch / 2, accuracy 40 + epoch + seed, scored every second epoch."""

    def epoch(number, seed):
        accuracy = 40.0 + number + seed if number % every == 0 else None
        return Epoch(epoch=number, lr=1, train_loss=3 - number / 2, train_accuracy=50 + number, test_accuracy=accuracy)

    return {
        id: each.model_copy(update={"curve": [epoch(number, each.spec.seed) for number in range(1, 5)]})
        if each.spec.training
        else each
        for id, each in metrics.items()
    }


def gather(artefact, metrics, folder, inspections=None):
    published = world.published(folder)
    files = world.files(folder, inspections=inspections or {})
    return sources.Sources(artefact, metrics, build(artefact, metrics, published, {}), files)


def write(artefact, metrics, folder, name="figure", **config):
    stem = folder / "out" / name
    world.published(folder)
    figures.write(world.configured(artefact, **config), metrics, world.files(folder), stem)
    return {suffix: stem.with_suffix(f".{suffix}") for suffix in figures.FORMATS}


def lines_of(axes):
    return {line.get_label(): line for line in axes.lines}


def points(line):
    return [(float(x), float(y)) for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)]


def texts(figure):
    return {text.get_text() for text in figure.findobj(matplotlib.text.Text)}


def store_programs(artefact, folder, program):
    for run in artefact.runs:
        if run.training:
            path = folder / "runs" / run.id / "learner.safetensors"
            path.parent.mkdir(parents=True)
            save_file({"best.pixels.program": program, "last.pixels.program": 2 * program}, path)


def inspected(images=24, classes=3, m=2, dimension=8):
    """Class c is predicted right after, and as 0 before."""
    rng = np.random.default_rng(0)

    def unit(*shape):
        values = rng.normal(size=shape).astype(np.float32)
        return values / np.linalg.norm(values, axis=-1, keepdims=True)

    labels = np.arange(images) % classes
    tensors = {"labels": labels, "shown": np.array([1, 2, 0]), "name": unit(classes, 1, dimension)}
    for state, predicted in (("before", np.zeros_like(labels)), ("after", labels)):
        tensors |= {f"{state}.images": unit(images, dimension), f"{state}.predicted": predicted}
        tensors[f"{state}.pictures"] = rng.integers(0, 255, (3, 3, 6, 6)).astype(np.uint8)
        for kind in ("descriptive", "distinctive"):
            tensors |= {
                f"{state}.{kind}.nearest": labels * m,
                f"{state}.{kind}.cosine": np.full(images, 0.25, np.float32),
                kind: unit(classes, m, dimension),
            }
    sentences = {
        kind: tuple(f"{kind} sentence {number} of class {label}." for label in range(classes) for number in range(m))
        for kind in ("descriptive", "distinctive")
    }
    return Inspection("run", "best", ("red_spot", "green spot", "blue spot"), sentences, tensors)


def with_inspections(module, monkeypatch, tmp_path, drawing):
    content = inspected()
    monkeypatch.setattr(sources, "read_inspection", lambda path: content)
    return module.collect(gather(vp_alone(drawing), world.metrics(), tmp_path, paths_of("vp"))), content


def vp_alone(drawing):
    artefact = planned(drawing)
    return replace(artefact, rows=artefact.rows[1:], cells=artefact.cells[2:])


def paths_of(*methods):
    """By run id, of the first seeds, a path that ends in method and data set."""
    found = {}
    for method in methods:
        for data in ("dtd", "eurosat"):
            found[world.member(method, data).runs[0].id] = f"{method}/{data}"
    return found


def mapped(channels=3, after=1.0):
    """Of a classifier: confidence 0.5 before; loss ``after`` of even images and half of it of odd ones after; masks
    of patches of 3 pixels."""
    content = inspected()
    images, side = len(content.labels), 6
    losses = np.where(np.arange(images) % 2 == 0, after, after / 2).astype(np.float32)
    patches = np.arange(len(content.shown) * channels * 4, dtype=np.float32).reshape(-1, channels, 2, 2)
    dropped = ("name", "descriptive", "distinctive")
    tensors = {name: value for name, value in content.tensors.items() if not name.startswith(dropped)}
    tensors |= {
        "before.loss": np.full(images, np.log(2), np.float32),
        "before.confidence": np.full(images, 0.5, np.float32),
        "after.loss": losses,
        "after.confidence": np.exp(-losses),
        "after.masks": patches.repeat(3, 2).repeat(3, 3),
        "after.patterns": np.full((len(content.shown), 3, side, side), -0.25, np.float32),
    }
    names = tuple(f"source {number}" for number in range(10))
    return replace(content, sentences={}, tensors=tensors, source_names=names)


def masked(drawing="masks"):
    """Zero-shot, and SMM with patches of 3 pixels in the place of VP."""
    artefact = planned(drawing)

    def smm(member):
        options = {"patch": 3} if member.runs[0].seed else {}
        return replace(member, runs=tuple(run.model_copy(update={"options": options}) for run in member.runs))

    cells = tuple(replace(cell, members=tuple(map(smm, cell.members))) for cell in artefact.cells)
    artefact = replace(artefact, cells=cells)
    metrics = {run.id: world.metrics_of(run, 60.0, 50.0 if run.training else 60.0) for run in artefact.runs}
    paths = {cell.members[0].runs[0].id: f"{cell.row.key}/{cell.column.key}" for cell in cells}
    return artefact, metrics, paths


def store_mappings(artefact, folder, programs=True):
    """Of every trained run: mappings for epochs 1 to 4. The heaviest label of class 0 is the epoch's number, of the
    others 5 and 6."""
    for run in artefact.runs:
        if not run.training:
            continue
        kept = Mappings()
        for epoch in range(1, 5):
            kept.epochs.append(epoch)
            kept.sources.append(torch.tensor([[epoch, 9], [5, 8], [6, 7]]))
            kept.weights.append(torch.tensor([[0.75, 0.25], [0.5, 0.5], [1.0, 0.0]]).half())
            kept.changes.append(float("nan") if epoch == 1 else epoch / 4)
            if programs:
                kept.snapshot(epoch, 4, torch.full((3, 224, 224), epoch / 8))
        path = Store(folder / "runs").mappings(run.id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(kept.file())
