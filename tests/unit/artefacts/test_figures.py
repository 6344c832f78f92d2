"""Figures: what is drawn (axes, labels, series, points, panels), the data behind it, and the files."""

import io
import json
import re
from dataclasses import replace

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from safetensors.numpy import save_file

from papertables.artefacts import figures
from papertables.artefacts.figures import (
    confidence,
    curves,
    embeddings,
    evolution,
    lines,
    loss_change,
    masks,
    neighbours,
    patterns,
    selection,
    sources,
    style,
    top_labels,
)
from papertables.artefacts.tables import build
from papertables.base.errors import UserError
from papertables.base.seals import read_model
from papertables.planning.axes import Value
from papertables.planning.planned import Cell
from papertables.results.inspections import Inspection
from papertables.results.metrics import Epoch
from papertables.results.store import Store
from papertables.specs.drawings import DRAWINGS
from papertables.training.mapping_history import Mappings
from tests.unit import artefact_world as world

SHOTS = (1, 4, 16)


@pytest.fixture(autouse=True)
def looks_like_ours():
    with style.style():
        yield


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


def test_lines_stand_at_their_numbers_with_band_and_published_values(tmp_path):
    artefact = against_shots()
    data = lines.collect(gather(artefact, metrics_by_shots(artefact), tmp_path))
    figure = lines.draw(data)
    (axes,) = figure.axes
    drawn = lines_of(axes)
    assert points(drawn["VP"]) == [(1, 42.0), (4, 45.0), (16, 57.0)]
    assert points(drawn["Zero-shot"]) == [(1, 30.0), (4, 30.0), (16, 30.0)]
    assert points(drawn["_published VP"]) == [(16, 61.4)]
    assert drawn["_published VP"].get_markerfacecolor() == "none"
    assert drawn["_published VP"].get_markeredgecolor() == drawn["VP"].get_color()
    (band,) = [each for each in axes.collections if each.get_gid() == "band VP"]
    low, high = band.get_datalim(axes.transData).intervaly
    assert low == pytest.approx(42 - 2**0.5) and high == pytest.approx(57 + 2**0.5)
    assert axes.get_xscale() == "log"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "4", "16"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Training images per class (shots)", "Accuracy (%)")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Zero-shot", "VP", "published"]
    assert drawn["VP"].get_marker() != drawn["Zero-shot"].get_marker()
    assert drawn["VP"].get_color() != drawn["Zero-shot"].get_color()
    assert data.footer == "Scale paper; CLIP ViT-B/16; mean ± std over seeds 1, 2; epoch that is best on the test set."
    assert data.footer in {text.replace("\n", " ") for text in texts(figure)}


@pytest.mark.slow
def test_a_diverged_run_leaves_a_gap_and_is_named(tmp_path):
    artefact = against_shots()
    metrics = metrics_by_shots(artefact)
    gone = next(run for run in artefact.runs if run.shots == 4)
    files = write(artefact, metrics | {gone.id: world.metrics_of(gone)}, tmp_path)
    frame = pd.read_csv(files["csv"])
    assert frame[(frame["series"] == "VP") & (frame["x"] == 4)]["mean"].isna().all()
    assert any(gone.id in line for line in json.loads(files["json"].read_text())["failures"])


def test_lines_need_numbers(tmp_path):
    with pytest.raises(UserError, match="'lines' needs columns that are numbers, not dataset"):
        write(planned("lines", average=False), world.metrics(), tmp_path)


@pytest.mark.parametrize(
    ("vary", "values", "label", "scale"),
    [
        ("options.patch", (1, 2, 4, 8, 16), "Side of a patch of the mask (pixels)", "log"),
        ("options.width", (4, 8, 16), "Width of the mask network (maps of its first layer)", "log"),
        ("options.laplace", (0, 0.1, 1, 10, 100), "λ: Laplace smoothing of the mapping", "symlog"),
        ("options.laplace", (0.1, 1, 10), "λ: Laplace smoothing of the mapping", "log"),
        ("options.ratio", (0.05, 0.15, 0.6, 1), "Top-k ratio: k over the number of classes", "linear"),
        ("fraction", (0.2, 0.6, None), "Share of the training images", "linear"),
    ],
)
def test_a_line_per_data_set_against_any_number(vary, values, label, scale, tmp_path):
    rows = tuple(Value(id, id.upper(), id, {"dataset": id}) for id in ("dtd", "eurosat"))
    columns = columns_of(vary, values)
    cells = tuple(Cell(row, column, (world.member("vp", row.key),)) for row in rows for column in columns)
    changes = {"rows": {"vary": "dataset", "values": ["dtd", "eurosat"]}, "columns": {"vary": vary, "values": [1]}}
    fixed = {"backbone": "clip_vit_b16", "method": "vp"}
    artefact = replace(
        planned("lines", average=False, published=[], fixed=fixed, **changes), rows=rows, columns=columns, cells=cells
    )
    data = lines.collect(gather(artefact, world.metrics(), tmp_path))
    (axes,) = lines.draw(data).axes
    x = [1.0 if value is None else float(value) for value in values]
    assert points(lines_of(axes)["DTD"]) == [(each, 61.0) for each in x]
    assert points(lines_of(axes)["EUROSAT"]) == [(each, 92.0) for each in x]
    assert (axes.get_xlabel(), axes.get_xscale()) == (label, scale)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [f"{each:g}" for each in x]


def test_names_have_bars_and_no_band_between_them():
    frame = pd.DataFrame({"series": "VP", "x": [0.0, 1.0], "mean": [60.0, 70.0], "std": [1.0, 2.0], "n": 2})
    frame = frame.assign(published=np.nan, published_std=np.nan)
    looks = {"VP": style.Look("black", "o", "-")}
    drawn = lines.draw(lines.Lines(frame, looks, "Source", None, "Scale paper.", names=("own", "gpt3")))
    (bars,) = drawn.axes[0].collections
    assert bars.get_gid() == "bars VP"
    assert [segment.tolist() for segment in bars.get_segments()] == [[[0, 59], [0, 61]], [[1, 68], [1, 72]]]


def test_selection_shows_best_last_and_the_difference(tmp_path):
    data = selection.collect(gather(planned("selection"), world.metrics(), tmp_path))
    figure = selection.draw(data)
    assert [axes.get_title() for axes in figure.axes] == ["DTD", "EuroSAT", "Average"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["Zero-shot", "VP"]
    eurosat = {each.get_label(): each.lines for each in figure.axes[1].containers}
    above, below = 1 - selection.APART, 1 + selection.APART
    assert points(eurosat["_best VP"][0]) == [(92.0, above)]
    assert points(eurosat["_last VP"][0]) == [(84.5, below)]
    for name, mean, y, std in (("_best VP", 92, above, 8**0.5), ("_last VP", 84.5, below, 40.5**0.5)):
        (bar,) = eurosat[name][2]
        assert bar.get_segments()[0].tolist() == [pytest.approx([mean - std, y]), pytest.approx([mean + std, y])]
        low, high = figure.axes[1].get_xlim()
        assert low < mean - std and mean + std < high
    assert [each[0].get_xdata()[0] for name, each in eurosat.items() if "Zero" in name] == [50.0, 50.0]
    assert "bars of one standard deviation" in data.alt
    assert {text.get_text() for text in figure.axes[1].texts} == {"0", "+7.5"}
    assert {axes.get_xlabel() for axes in figure.axes} == {"Accuracy (%)"}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["best test epoch", "last epoch"]
    vp = data.frame[(data.frame["row"] == "VP") & (data.frame["column"] == "Average")].iloc[0]
    assert (vp["best"], vp["last"], vp["gain"], vp["n"]) == (76.5, 72.0, 4.5, 2)


def test_only_single_epochs_are_shown_of_a_run_that_keeps_its_best(tmp_path):
    kept = world.run("vp", "eurosat", 2)
    metrics = with_curves(world.metrics()) | {kept.id: world.ended(kept, 94.0)}
    artefact = world.under(planned("curves"), "keep_best")
    found = gather(artefact, metrics, tmp_path)
    assert kept.id in [run.id for _, runs in found.cells() for run in runs]
    data = curves.collect(found)
    assert set(data.frame[(data.frame["row"] == "VP") & (data.frame["column"] == "EuroSAT")]["n"]) == {1}
    assert f"Left out, its loss stopped being finite: {kept.id}." in data.notes
    last = gather(world.under(world.planned(selection="last"), "keep_best"), metrics, tmp_path)
    assert kept.id not in [run.id for _, runs in last.cells() for run in runs]


def test_selection_shows_no_difference_of_a_run_that_keeps_its_best(tmp_path):
    kept = world.run("vp", "eurosat", 2)
    artefact = world.under(planned("selection"), "keep_best")
    data = selection.collect(gather(artefact, world.metrics() | {kept.id: world.ended(kept, 94.0)}, tmp_path))
    line = data.frame[(data.frame["row"] == "VP") & (data.frame["column"] == "EuroSAT")].iloc[0]
    assert line["best"] == 92.0 and np.isnan(line["last"]) and np.isnan(line["gain"])
    drawn = selection.draw(data).axes[1]
    assert "–" in {text.get_text() for text in drawn.texts}


def test_curves_leave_out_what_was_not_evaluated_and_who_diverged(tmp_path):
    gone = world.run("vp", "eurosat", 2)
    metrics = with_curves(world.metrics()) | {gone.id: world.metrics_of(gone)}
    data = curves.collect(gather(planned("curves"), metrics, tmp_path))
    figure = curves.draw(data)
    dtd, eurosat, dtd_loss, _ = figure.axes
    assert [axes.get_title() for axes in (dtd, eurosat)] == ["DTD", "EuroSAT"]
    assert (dtd.get_ylabel(), dtd_loss.get_ylabel()) == ("Test accuracy (%)", "Training loss")
    assert dtd_loss.get_xlabel() == "Epoch"
    assert points(lines_of(dtd)["VP"]) == [(2, 43.5), (4, 45.5)]
    assert points(lines_of(eurosat)["VP"]) == [(2, 43.0), (4, 45.0)]
    assert points(lines_of(dtd_loss)["VP"]) == [(1, 2.5), (2, 2.0), (3, 1.5), (4, 1.0)]
    assert set(lines_of(dtd)["Zero-shot"].get_ydata()) == {40.0}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Zero-shot", "VP"]
    assert f"Left out, its loss stopped being finite: {gone.id}." in data.notes


@pytest.mark.parametrize(("factor", "scale"), [(1, "linear"), (100, "log")])
def test_losses_that_are_far_apart_stand_on_a_logarithmic_scale(factor, scale, tmp_path):
    data = curves.collect(gather(planned("curves"), with_curves(world.metrics()), tmp_path))
    far = data.frame[data.frame["quantity"] == "train_loss"].assign(row="Zero-shot")
    far[["mean", "std"]] *= factor
    figure = curves.draw(replace(data, frame=pd.concat([data.frame, far])))
    accuracy, _, loss, _ = figure.axes
    assert (accuracy.get_yscale(), loss.get_yscale()) == ("linear", scale)
    assert loss.get_ylabel() == "Training loss" + (" (log scale)" if scale == "log" else "")
    assert not any(line.get_clip_on() for line in loss.lines)
    if scale == "log":
        assert {"1", "10", "100"} <= {loss.yaxis.get_major_formatter()(each, 0) for each in loss.get_yticks()}


def test_curves_show_the_quantities_asked_for_in_their_order(tmp_path):
    artefact = planned("curves", quantities=("train_accuracy", "test_accuracy", "train_loss"))
    data = curves.collect(gather(artefact, with_curves(world.metrics()), tmp_path))
    figure = curves.draw(data)
    panels = figure.axes[::2]
    assert [axes.get_ylabel() for axes in panels] == ["Training accuracy (%)", "Test accuracy (%)", "Training loss"]
    assert [axes.get_xlabel() for axes in panels] == ["", "", "Epoch"]
    assert [axes.get_title() for axes in panels] == ["DTD", "", ""]
    assert points(lines_of(panels[0])["VP"]) == [(1, 51), (2, 52), (3, 53), (4, 54)]
    assert points(lines_of(panels[1])["VP"]) == [(2, 43.5), (4, 45.5)]
    assert "Zero-shot" in lines_of(panels[1]) and "Zero-shot" not in lines_of(panels[0])
    assert data.alt.startswith("Curves: training accuracy (%) and test accuracy (%) and training loss against")
    assert data.footer.endswith("a level line trains nothing.")


def test_curves_of_training_alone_have_no_level_lines(tmp_path):
    artefact = planned("curves", quantities=("train_loss",))
    data = curves.collect(gather(artefact, with_curves(world.metrics()), tmp_path))
    assert set(data.frame["quantity"]) == {"train_loss"} and not data.notes
    assert "level line" not in data.footer


def store_programs(artefact, folder, program):
    for run in artefact.runs:
        if run.training:
            path = folder / "runs" / run.id / "learner.safetensors"
            path.parent.mkdir(parents=True)
            save_file({"best.pixels.program": program, "last.pixels.program": 2 * program}, path)


def test_patterns_show_the_watermark_around_grey(tmp_path):
    program = np.zeros((3, 224, 224), np.float32)
    program[0, 0, 5], program[1, 2, 3], program[2, 100, 100] = 2, -1, 9  # the last one is not trained
    artefact = planned("patterns")
    store_programs(artefact, tmp_path, program)
    data = patterns.collect(gather(artefact, world.metrics(), tmp_path))
    assert data.rows == ("VP",)
    assert "Without a pattern in pixels: Zero-shot." in data.notes
    image = data.patterns["VP", "DTD"].image()
    assert image[0, 5].tolist() == [1, 0.5, 0.5] and image[2, 3].tolist() == [0.5, 0.25, 0.5]
    assert (image[100, 100] == 0.5).all()
    figure = patterns.draw(data)
    assert [axes.get_title() for axes in figure.axes] == ["DTD", "EuroSAT"]
    assert [axes.get_xlabel() for axes in figure.axes] == ["±2", "±2"]
    assert figure.axes[0].get_ylabel() == "VP"
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), image)
    own = data.frame[data.frame["column"] == "DTD"]
    assert len(own) == 224**2 - 164**2
    assert own[(own["y"] == 2) & (own["x"] == 3)][["red", "green", "blue"]].to_numpy().tolist() == [[0, -1, 0]]


@pytest.mark.slow
def test_many_data_sets_of_patterns_go_into_bands():
    names = tuple(f"Set {number}" for number in range(8))
    pattern = patterns.Pattern(np.full((3, 4, 4), 0.5), np.ones((4, 4), bool), added=False)
    found = {(row, name): pattern for row in ("AR", "VP") for name in names}
    figure = patterns.draw(patterns.Patterns(found, ("AR", "VP"), names, "Scale paper."))
    shown = [axes for axes in figure.axes if axes.images]
    assert len(shown) == 16
    assert [axes.get_title() for axes in shown if axes.get_title()] == list(names)
    assert [axes.get_ylabel() for axes in shown if axes.get_ylabel()] == ["AR", "VP", "AR", "VP"]


def test_a_frame_shows_its_pixels_around_a_neutral_inside(tmp_path):
    run = world.run("vp", "dtd", 1).model_copy(update={"method": "ar", "options": {"inner": 3}})
    path = tmp_path / run.id / "learner.safetensors"
    path.parent.mkdir(parents=True)
    save_file({"last.pixels.program": np.log(np.full((3, 6, 6), 0.25 / 0.75, np.float32))}, path)
    image = patterns.read_pattern(Store(tmp_path), run, "last").image()
    inside = np.all(image == patterns.NEUTRAL, axis=-1)
    assert inside[2:5, 2:5].all() and inside.sum() == 9  # the extra pixel lies left and above
    np.testing.assert_allclose(image[~inside], 0.25, rtol=1e-6)
    with pytest.raises(UserError, match=r"learner\.safetensors: damaged .*best\.pixels\.program"):
        patterns.read_pattern(Store(tmp_path), run, "best")


def test_a_program_under_masks_is_the_whole_image():
    run = world.run("vp", "dtd", 1).model_copy(update={"method": "smm", "options": {"patch": 8}})
    assert patterns.has_program(run)
    assert not patterns.has_program(run.model_copy(update={"method": "only_mask"}))
    pattern = patterns.pattern_of(np.full((3, 6, 6), 0.25, np.float32), run)
    assert pattern.mask.all() and pattern.added and pattern.reach == 0.25


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


@pytest.mark.slow
def test_embeddings_show_images_and_attributes_by_class(tmp_path, monkeypatch):
    data, _ = with_inspections(embeddings, monkeypatch, tmp_path, "embeddings")
    accuracies = {"before": (pytest.approx(100 / 3),), "after": (100.0,)}
    assert data.panels == {"DTD": accuracies, "EuroSAT": accuracies}
    counts = data.frame.groupby(["panel", "state", "kind"]).size()
    assert counts["DTD", "before", "image"] == 24
    assert counts["EuroSAT", "after", "descriptive"] == counts["DTD", "before", "distinctive"] == 3
    figure = embeddings.draw(data)
    assert len(figure.subfigs) == 2
    part = figure.subfigs[1]
    assert part.get_suptitle() == "EuroSAT"
    apart = data.frame.groupby(["panel", "state"])["silhouette"].first()["EuroSAT"]
    titles = [f"before (33.3 %, s = {apart['before']:.2f})", f"after (100.0 %, s = {apart['after']:.2f})"]
    assert [axes.get_title().replace("−", "-") for axes in part.axes] == titles
    drawn = {each.get_label(): each.get_offsets() for each in part.axes[1].collections}
    assert [text.get_text() for text in part.legends[0].get_texts()] == ["red spot", "green spot", "blue spot"]
    own = data.frame.query("panel == 'EuroSAT' and state == 'after' and `class` == 'green spot'")
    for label, kind in (("green spot", "image"), ("_distinctive green spot", "distinctive")):
        np.testing.assert_array_equal(drawn[label], own[own["kind"] == kind][["x", "y"]])
    dots = {each.get_label(): each.get_paths() for each in part.axes[1].collections}
    assert len(dots["green spot"][0].vertices) == len(dots["blue spot"][0].vertices)  # one marker of all images
    names = ["image", "mean of descriptive sentences", "mean of distinctive sentences"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == names


@pytest.mark.slow
def test_embeddings_of_a_method_without_attributes_show_class_names():
    content = replace(inspected(), sentences={})
    assert set(embeddings.project(content, "after", planned("embeddings").artefact)["kind"]) == {"image", "name"}


@pytest.mark.slow
def test_embeddings_show_the_classes_that_are_named_and_others_where_there_are_none():
    content = inspected()
    for named, shown in ((("blue spot",), {"blue spot"}), (("marigold",), {"red spot", "green spot", "blue spot"})):
        artefact = planned("embeddings", classes=named).artefact
        assert set(embeddings.project(content, "after", artefact)["class"]) == shown


@pytest.mark.slow
def test_the_output_layer_is_projected_in_place_of_features():
    """Here it tells apart what features do not."""
    content = replace(inspected(), sentences={})
    layer = {"source.weight": np.eye(3, 8, dtype=np.float32), "source.bias": np.zeros(3, np.float32)}
    apart = np.eye(8, dtype=np.float32)[content.labels] + 1e-3 * content.images("after")
    content = replace(content, tensors=content.tensors | layer | {"after.images": apart})
    np.testing.assert_allclose(content.source_logits("after"), apart[:, :3])
    artefact = planned("embeddings", part="train", embeds="source_logits").artefact
    after, before = (embeddings.project(content, state, artefact) for state in ("after", "before"))
    assert set(after["kind"]) == {"image"}
    assert before["silhouette"].iloc[0] < 0.5 < 0.99 < after["silhouette"].iloc[0]


def test_silhouettes_are_of_several_classes():
    points = np.array([[1, 0], [1, 0.01], [-1, 0], [-1, 0.01]])
    assert embeddings.silhouette(points, np.array([0, 0, 1, 1])) > 0.99
    assert embeddings.silhouette(points, np.array([0, 1, 0, 1])) < 0
    assert np.isnan(embeddings.silhouette(points, np.array([0, 0, 0, 0])))


@pytest.mark.slow
def test_embeddings_of_several_methods_share_what_was_before(tmp_path, monkeypatch):
    """And those of a classifier have no text."""
    content = mapped()
    same = replace(content, tensors=content.tensors | {"after.images": content.images("before")})
    monkeypatch.setattr(sources, "read_inspection", lambda path: content if path.parent.name == "vp" else same)
    artefact = planned("embeddings")
    data = embeddings.collect(gather(artefact, world.metrics(), tmp_path, paths_of("zero_shot", "vp")))
    before = pytest.approx(100 / 3)
    assert data.panels["DTD"] == {"before": (before, before), "Zero-shot": (100.0,), "VP": (100.0,)}
    assert set(data.frame["kind"]) == {"image"}
    assert not any("CLIP" in note for note in data.notes)
    assert data.alt.startswith("t-SNE of image features before and after Zero-shot, VP, coloured by class")
    figure = embeddings.draw(data)
    titles = ["before (33.3 %", "Zero-shot (100.0 %", "VP (100.0 %"]
    assert [[axes.get_title().partition(",")[0] for axes in part.axes] for part in figure.subfigs] == [titles, titles]
    assert not figure.legends
    before, zero_shot, vp = (
        np.concatenate([each.get_offsets() for each in axes.collections if len(each.get_offsets())])
        for axes in figure.subfigs[0].axes
    )
    np.testing.assert_array_equal(before, zero_shot)
    assert np.abs(before - vp).max() > 0.1


@pytest.mark.slow
def test_accuracies_before_that_differ_are_shown_from_lowest_to_highest(tmp_path, monkeypatch):
    one = mapped()
    other = replace(one, tensors=one.tensors | {"before.predicted": one.labels})
    monkeypatch.setattr(sources, "read_inspection", lambda path: one if path.parent.name == "vp" else other)
    artefact = planned("embeddings")
    data = embeddings.collect(gather(artefact, world.metrics(), tmp_path, paths_of("zero_shot", "vp")))
    assert data.panels["DTD"]["before"] == (100.0, pytest.approx(100 / 3))
    assert embeddings.draw(data).subfigs[0].axes[0].get_title().startswith("before (33.3–100.0 %, s = ")
    assert any("of several methods from the lowest to the highest" in note for note in data.notes)


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


@pytest.mark.slow
def test_masks_show_each_channel_the_pattern_and_the_sum(tmp_path, monkeypatch):
    content = mapped()
    plain = replace(content, tensors={n: v for n, v in content.tensors.items() if n != "after.masks"})
    monkeypatch.setattr(sources, "read_inspection", lambda path: content if path.parent.name == "vp" else plain)
    artefact, metrics, paths = masked()
    data = masks.collect(gather(artefact, metrics, tmp_path, paths))
    assert [(each.row, each.dataset, each.image) for each in data.examples] == [
        ("VP", "DTD", 1),
        ("VP", "DTD", 2),
        ("VP", "EuroSAT", 1),
        ("VP", "EuroSAT", 2),
    ]
    assert "Without a mask network: Zero-shot." in data.notes
    figure = masks.draw(data)
    grid = np.array(figure.axes).reshape(4, 6)
    titles = ["image", "mask, red", "mask, green", "mask, blue", "δ ⊙ mask", "image + δ ⊙ mask"]
    assert [axes.get_title() for axes in grid[0]] == titles
    assert not any(axes.get_title() for axes in grid[1:].flat)
    image, *channels, pattern, result = (axes.images[0] for axes in grid[1])
    np.testing.assert_array_equal(image.get_array(), content.pictures("before")[1].transpose(1, 2, 0))
    np.testing.assert_array_equal(result.get_array(), content.pictures("after")[1].transpose(1, 2, 0))
    for shown, values in zip(channels, content.masks[1], strict=True):
        np.testing.assert_array_equal(shown.get_array(), values)
        assert shown.get_clim() == (12, 23)
    assert (pattern.get_array() == 0).all()  # the largest below grey
    assert grid[1][0].get_ylabel() == "DTD\nblue spot"
    assert [axes.get_xlabel() for axes in grid[1]] == [
        "✗ red spot\n0.50",
        "",
        "12 to 23",
        "",
        "±0.25",
        f"✓ blue spot\n{np.exp(-1):.2f}",
    ]
    own = data.frame[(data.frame["dataset"] == "DTD") & (data.frame["image"] == 2)]
    assert own[["y", "x"]].to_numpy().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert own[["channel0", "channel2"]].to_numpy().tolist() == [[12, 20], [13, 21], [14, 22], [15, 23]]
    assert set(own["after"]) == {"blue spot"} and set(own["before"]) == {"red spot"}
    assert "DTD, green spot: predicted red spot before, green spot after" in data.alt


def test_a_mask_of_one_channel_leaves_two_places_empty(tmp_path, monkeypatch):
    one, three = mapped(channels=1), mapped()
    monkeypatch.setattr(sources, "read_inspection", lambda path: one if path.name == "eurosat" else three)
    artefact, metrics, paths = masked()
    artefact = replace(artefact, rows=artefact.rows[1:], cells=artefact.cells[2:])
    data = masks.collect(gather(artefact, metrics, tmp_path, paths))
    grid = np.array(masks.draw(data).axes).reshape(4, 6)
    assert [bool(axes.images) for axes in grid[2]] == [True, True, False, False, True, True]
    titles = ["image", "mask, all channels", "", "", "δ ⊙ mask", "image + δ ⊙ mask"]
    assert [axes.get_title() for axes in grid[2]] == titles
    assert grid[2][1].get_xlabel() == "0 to 3"
    assert len(data.frame) == 2 * 2 * 4 and data.frame["channel1"].isna().sum() == 2 * 4


@pytest.mark.slow
def test_confidence_bars_stand_under_the_images_that_methods_disagree_on(tmp_path, monkeypatch):
    sure, unsure = mapped(after=0.01), mapped(after=2.0)
    monkeypatch.setattr(sources, "read_inspection", lambda path: sure if path.parent.name == "vp" else unsure)
    artefact = planned("confidence")
    data = confidence.collect(gather(artefact, world.metrics(), tmp_path, paths_of("zero_shot", "vp")))
    # of the shown images 0, 1, 2 the even ones, whose losses differ by 2 and not by 1
    assert [(each.dataset, each.image) for each in data.examples] == [
        ("DTD", 0),
        ("DTD", 2),
        ("EuroSAT", 0),
        ("EuroSAT", 2),
    ]
    np.testing.assert_array_equal(data.examples[0].picture, sure.pictures("before")[2].transpose(1, 2, 0))
    figure = confidence.draw(data)
    axes = next(each for each in figure.axes if each.get_xlabel() == "Confidence")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Zero-shot", "VP"]
    bars = {each.get_label(): each.patches[0] for each in axes.containers}
    assert bars["_before VP"].get_width() == bars["_before Zero-shot"].get_width() == 0.5
    assert bars["_after VP"].get_width() == pytest.approx(np.exp(-0.01))
    assert bars["_after Zero-shot"].get_width() == pytest.approx(np.exp(-2))
    assert bars["_before VP"].get_y() < bars["_after VP"].get_y()
    assert bars["_after VP"].get_facecolor() != bars["_after Zero-shot"].get_facecolor()
    assert [text.get_text() for text in axes.texts] == ["0.50 ✓", "0.14 ✓", "0.50 ✓", "0.99 ✓"]
    pictures = [each for each in figure.axes if each.images]
    assert [each.get_title() for each in pictures][:2] == ["DTD:\nred spot", "DTD:\nblue spot"]
    line = data.frame.query("column == 'EuroSAT' and image == 2 and row == 'VP' and state == 'before'").iloc[0]
    assert (line["true"], line["predicted"], line["confidence"]) == ("blue spot", "red spot", 0.5)


@pytest.mark.slow
def test_loss_changes_are_counted_on_both_sides_of_zero(tmp_path, monkeypatch):
    up, mixed = mapped(after=2.0), mapped(after=1.0)  # 0.69 before; 2 and 1, or 1 and 0.5 after
    monkeypatch.setattr(sources, "read_inspection", lambda path: up if path.parent.name == "vp" else mixed)
    artefact = planned("loss_change")
    data = loss_change.collect(gather(artefact, world.metrics(), tmp_path, paths_of("zero_shot", "vp")))
    counted = data.frame.groupby(["row", "column"])["images"].sum()
    assert set(counted) == {24}
    shares = data.frame.groupby(["row", "column"])["share_up"].first()
    assert (shares["VP", "DTD"], shares["Zero-shot", "EuroSAT"]) == (100.0, 50.0)
    own = data.frame[(data.frame["row"] == "Zero-shot") & (data.frame["column"] == "DTD")]
    filled = own[own["images"] > 0]
    assert filled["images"].tolist() == [12, 12]
    for (_, bar), change in zip(filled.iterrows(), (0.5 - np.log(2), 1 - np.log(2)), strict=True):
        assert bar["low"] <= change <= bar["high"]
    figure = loss_change.draw(data)
    first = figure.axes[0]
    assert (first.get_title(), first.get_ylabel()) == ("DTD", "Zero-shot")
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "", "Change of the loss", "Change of the loss"]
    assert {text.get_text() for text in first.texts} == {"50.0 % up"}
    heights = dict.fromkeys((style.RIGHT, style.WRONG), 0)
    for patch in first.patches:
        side = style.WRONG if patch.get_x() >= 0 else style.RIGHT
        assert matplotlib.colors.to_hex(patch.get_facecolor()) == side.lower()
        heights[side] += patch.get_height()
    assert heights == {style.RIGHT: 12, style.WRONG: 12}


@pytest.mark.parametrize(
    ("changes", "expected"), [([0.0, 0.0], 1), ([-3.0, -1.0], 30), ([1.0, 3.0], 30), ([-1.0, 2.0], 30)]
)
def test_zero_is_an_edge_of_the_bars(changes, expected):
    edges = loss_change.bars(np.array(changes))
    assert (edges == 0).sum() == 1
    assert expected <= len(edges) - 1 <= expected + 1
    assert np.ptp(np.diff(edges)) == pytest.approx(0, abs=1e-9)


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


@pytest.mark.parametrize(("chosen", "heaviest"), [("best", "source 2"), ("last", "source 4")])
def test_top_labels_are_those_of_the_selected_epoch(chosen, heaviest, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "read_inspection", lambda path: mapped())
    artefact = planned("top_labels", selection=chosen)
    store_mappings(artefact, tmp_path)
    data = top_labels.collect(gather(artefact, world.metrics(), tmp_path, paths_of("zero_shot", "vp")))
    assert list(data.rows) == ["VP"]
    assert "Without a mapping made from statistics: Zero-shot." in data.notes
    own = data.frame[data.frame["column"] == "EuroSAT"]
    assert own[["class", "rank", "source", "weight"]].to_numpy().tolist() == [
        ["red spot", 1, heaviest, 0.75],
        ["red spot", 2, "source 9", 0.25],
        ["green spot", 1, "source 5", 0.5],
        ["green spot", 2, "source 8", 0.5],
        ["blue spot", 1, "source 6", 1.0],
    ]
    figure = top_labels.draw(data)
    assert [part.get_suptitle() for part in figure.subfigs] == ["DTD", "EuroSAT"]
    panels = figure.subfigs[1].axes
    assert [axes.get_ylabel() for axes in panels] == ["red spot", "green spot", "blue spot"]
    assert panels[0].get_title() == "VP"
    assert [patch.get_width() for patch in panels[0].patches] == [0.75, 0.25]
    assert [text.get_text() for text in panels[0].texts] == [f"0.75 {heaviest}", "0.25 source 9"]


@pytest.mark.parametrize(("epochs", "epoch", "number"), [([1], 4, 0), ([1, 2, 3, 4], 3, 2), ([1, 3], 2, 0)])
def test_the_mapping_in_use_is_the_last_one_made(epochs, epoch, number):
    assert top_labels.made_for(np.array(epochs), epoch) == number


@pytest.mark.slow
def test_evolution_shows_patterns_labels_loss_and_change(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "read_inspection", lambda path: mapped())
    artefact = vp_alone("evolution")
    store_mappings(artefact, tmp_path)
    data = evolution.collect(gather(artefact, with_curves(world.metrics()), tmp_path, paths_of("vp")))
    figure = evolution.draw(data)
    assert [part.get_suptitle() for part in figure.subfigs] == ["DTD", "EuroSAT"]
    pictures, below = figure.subfigs[1].subfigs
    names, *panels = pictures.axes
    assert names.get_xlabel() == "red spot\ngreen spot\nblue spot"
    assert [axes.get_title() for axes in panels] == [
        "epoch 1 (±0.12)",
        "epoch 2 (±0.25)",
        "epoch 3 (±0.38)",
        "epoch 4 (±0.5)",
    ]
    assert [axes.get_xlabel().splitlines()[0] for axes in panels] == [f"source {epoch}" for epoch in (1, 2, 3, 4)]
    shown = panels[0].images[0].get_array()
    assert (shown[0, 0] == 1).all() and (shown[112, 112] == 0.5).all()
    loss, change = below.axes
    assert (loss.get_ylabel(), change.get_ylabel()) == ("Training loss", "Mapping change")
    assert points(loss.lines[0]) == [(1, 2.5), (2, 2.0), (3, 1.5), (4, 1.0)]
    assert points(change.lines[0]) == [(2, 0.5), (3, 0.75), (4, 1.0)]
    weight = data.frame.query("column == 'DTD' and quantity == 'weight' and epoch == 3 and `class` == 'red spot'")
    assert weight[["source", "value"]].to_numpy().tolist() == [["source 3", 0.75]]
    assert "VP on DTD, after epochs 1, 2, 3, 4" in data.alt
    assert "epoch that is best" not in data.footer


def test_evolution_without_patterns_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "read_inspection", lambda path: mapped())
    artefact = vp_alone("evolution")
    store_mappings(artefact, tmp_path, programs=False)
    with pytest.raises(UserError, match=r"mappings\.npz: holds no patterns"):
        evolution.collect(gather(artefact, with_curves(world.metrics()), tmp_path, paths_of("vp")))


def test_neighbours_show_pictures_predictions_and_sentences(tmp_path, monkeypatch):
    data, content = with_inspections(neighbours, monkeypatch, tmp_path, "neighbours")
    assert [(each.dataset, each.image) for each in data.examples] == [
        ("DTD", 1),
        ("DTD", 2),
        ("EuroSAT", 1),
        ("EuroSAT", 2),
    ]
    assert data.footer.startswith("Scale paper; CLIP ViT-B/16; one run each, seed 1; in brackets")
    figure = neighbours.draw(data)
    pictures = {axes.get_label(): axes.images[0].get_array() for axes in figure.axes}
    assert len(pictures) == 8
    np.testing.assert_array_equal(pictures["DTD 2 after"], content.pictures("after")[1].transpose(1, 2, 0))
    shown = texts(figure)
    assert {"before reprogramming", "after reprogramming", "DTD, true: green spot"} <= shown
    assert {"✗ predicted: red spot", "✓ predicted: green spot", "✓ predicted: blue spot"} <= shown
    assert any("distinctive (0.25): distinctive sentence 0 of" in each for each in shown)
    line = data.frame[(data.frame["image"] == 1) & (data.frame["state"] == "after")].iloc[0]
    assert (line["true"], line["predicted"], line["sentence"]) == (
        "green spot",
        "green spot",
        "descriptive sentence 0 of class 1.",
    )


@pytest.mark.slow
def test_files_have_their_size_and_the_same_bytes_again(tmp_path):
    artefact = against_shots()
    before = dict(matplotlib.rcParams)
    files = write(artefact, metrics_by_shots(artefact), tmp_path)
    again = write(artefact, metrics_by_shots(artefact), tmp_path, name="again")
    assert dict(matplotlib.rcParams) == before
    for suffix in figures.FORMATS:
        assert files[suffix].read_bytes() == again[suffix].read_bytes()
    with Image.open(files["png"]) as image:
        assert image.width == round(style.COLUMN * 300)
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert set(image.info) == {"dpi"}
    pdf = files["pdf"].read_bytes()
    assert pdf.startswith(b"%PDF") and b"CreationDate" not in pdf and b"/Type3" not in pdf
    assert b"/FontFile2" in pdf  # TrueType, embedded


@pytest.mark.slow
def test_clips_that_differ_in_the_last_bit_have_the_same_names():
    def drawn(width: float) -> bytes:
        with style.style():
            figure = Figure()
            figure.add_axes((0.1, 0.1, width, 0.4)).imshow([[0, 1], [1, 0]], aspect="auto")
            return style.render(figure)[".svg"]

    one = drawn(0.4)
    assert one == drawn(0.4 + 1e-14)
    used = set(re.findall(rb"url\(#(.*?)\)", one))
    assert used and used <= set(re.findall(rb'<clipPath id="(.*?)"', one))


@pytest.mark.slow
def test_the_csv_holds_what_is_drawn(tmp_path):
    artefact = against_shots()
    metrics = metrics_by_shots(artefact)
    frame = pd.read_csv(write(artefact, metrics, tmp_path)["csv"])
    drawn = lines_of(lines.draw(lines.collect(gather(artefact, metrics, tmp_path))).axes[0])
    for name in ("Zero-shot", "VP"):
        own = frame[frame["series"] == name]
        assert points(drawn[name]) == list(zip(own["x"], own["mean"], strict=True))
    assert frame["published"].dropna().tolist() == [61.4]
    assert frame[frame["series"] == "VP"]["std"].tolist() == pytest.approx([2**0.5] * 3, rel=1e-5)


@pytest.mark.slow
def test_the_record_says_what_the_index_needs(tmp_path):
    artefact = against_shots()
    record = read_model(sources.FigureRecord, write(artefact, metrics_by_shots(artefact), tmp_path)["json"])
    assert record.selection == "best"
    assert (record.id, record.drawing, record.venue) == ("attrvr_table1", "lines", "ICLR 2025")
    assert record.alt == (
        "Lines: accuracy in percent against Training images per class (shots) (1 to 16) for Zero-shot, VP."
    )
    assert "Hollow markers are published values." in record.notes
    assert any(note.startswith("Selection best") for note in record.notes)
    assert record.sources == ("AttrVR, T1: quoted somewhere",)


def test_notes_hold_for_the_drawing(tmp_path):
    def first_words(drawing):
        notes = sources.made_how(gather(planned(drawing), world.metrics(), tmp_path))
        return {note.split()[0] for note in notes}

    assert first_words("lines") >= {"Mean", "Selection"}
    assert "Mean" in first_words("curves") and "Selection" not in first_words("curves")
    assert "Selection" in first_words("patterns") and "Mean" not in first_words("patterns")


@pytest.mark.parametrize("count", [1, 5, 12, 20])
def test_looks_differ_in_more_than_colour(count):
    found = style.looks([f"row {number}" for number in range(count - 1)] + ["attrvr"])
    assert len({(look.colour, look.marker) for look in found}) == count
    assert found[-1].colour == style.COLOURS[0]


def test_a_method_has_one_look_in_all_figures_of_its_paper():
    methods = ["rlm", "ilm", "blm", "learned", "learned_sigmoid", "blm_fast"]
    whole = dict(zip(methods, style.looks(methods, methods), strict=True))
    average = style.looks(["average"])[0]
    assert len({(look.colour, look.marker) for look in (*whole.values(), average)}) == len(methods) + 1
    for some in (["blm_fast", "ilm"], ["learned_sigmoid"], ["blm", "average", "learned"]):
        for key, look in zip(some, style.looks(some, methods), strict=True):
            assert look == whole.get(key, average)
    assert style.looks(["smm"])[0].colour == style.looks(["blmp"])[0].colour == style.COLOURS[0]


def test_looks_of_rows_come_from_the_paper_and_the_average_is_black():
    found = style.of_rows(planned("lines"), ["Zero-shot", "VP", "Average"])
    assert list(found) == ["Zero-shot", "VP", "Average"]
    assert (found["VP"].colour, found["Average"].colour) == (style.COLOURS[2], style.COLOURS[6])


@pytest.mark.parametrize(("count", "width", "lines_of_panels"), [(1, 3.4, 1), (2, 3.4, 1), (3, 7.0, 1), (5, 7.0, 2)])
def test_panels_fill_lines(count, width, lines_of_panels):
    figure, grid = style.panels(count, 4, 1.0, "Footer.", per=2)
    assert grid.shape == (count, 2)
    assert figure.get_size_inches()[0] == width
    rows = {axes.get_subplotspec().rowspan.start for axes in grid.flat}
    assert rows == set(range(2 * lines_of_panels))
    for upper, lower in grid:
        assert lower.get_subplotspec().rowspan.start == upper.get_subplotspec().rowspan.start + 1
        assert lower.get_subplotspec().colspan == upper.get_subplotspec().colspan
    assert sum(not axes.axison for axes in figure.axes) == len(figure.axes) - 2 * count


@pytest.mark.slow
def test_no_text_is_smaller_than_seven_points(tmp_path, monkeypatch):
    artefact = against_shots()
    trained = vp_alone("evolution")
    store_mappings(trained, tmp_path)
    smm, metrics, paths = masked()
    smm = replace(smm, rows=smm.rows[1:], cells=smm.cells[2:])
    monkeypatch.setattr(sources, "read_inspection", lambda path: mapped())
    found = gather(trained, with_curves(world.metrics()), tmp_path, paths_of("vp"))
    drawn = (confidence, loss_change, top_labels, evolution, embeddings)
    made = [module.draw(module.collect(found)) for module in drawn]
    made.append(masks.draw(masks.collect(gather(smm, metrics, tmp_path, paths))))
    made += [
        lines.draw(lines.collect(gather(artefact, metrics_by_shots(artefact), tmp_path))),
        selection.draw(selection.collect(gather(planned("selection"), world.metrics(), tmp_path))),
        curves.draw(curves.collect(gather(planned("curves"), with_curves(world.metrics()), tmp_path))),
    ]
    for figure in made:
        figure.savefig(io.BytesIO())
        sizes = [each.get_fontsize() for each in figure.findobj(matplotlib.text.Text) if each.get_text().strip()]
        assert min(sizes) >= 7


@pytest.mark.slow
def test_a_search_can_be_drawn_when_nothing_has_run_yet(tmp_path):
    rows = {"vary": "dataset", "values": ["dtd"]}
    searched = replace(planned("search", rows=rows, columns=None, average=False), columns=(), cells=())
    files = write(searched, {}, tmp_path, partial=True)
    assert all(path.stat().st_size for path in files.values())


@pytest.mark.slow
@pytest.mark.parametrize("drawing", sorted(DRAWINGS.keys() - {"search"}))
def test_every_drawing_can_be_made_when_nothing_has_run_yet(drawing, tmp_path):
    artefact = against_shots() if drawing == "lines" else planned(drawing)
    with pytest.raises(UserError, match="runs are missing"):
        write(artefact, {}, tmp_path)
    files = write(artefact, {}, tmp_path, partial=True)
    assert "* not finished" in files["json"].read_text()
    assert all(path.stat().st_size for path in files.values())
