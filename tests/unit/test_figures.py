"""Figures: what is drawn (axes, labels, series, points, panels), the data behind it, and the files."""

import io
import json
from dataclasses import replace

import matplotlib
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors.numpy import save_file

from papertables.artefacts import figures
from papertables.artefacts.figures import (
    curves,
    embeddings,
    lines,
    neighbours,
    patterns,
    selection,
    sources,
    style,
)
from papertables.artefacts.tables import build
from papertables.cells import Cell, Member, Value
from papertables.embed import Embedded
from papertables.errors import UserError
from papertables.metrics import Epoch

from . import artefact_world as world

SHOTS = (1, 4, 16)


@pytest.fixture(autouse=True)
def looks_like_ours():
    with style.style():
        yield


def planned(drawing, **changes):
    return world.planned(kind="figure", drawing=drawing, **changes)


def against_shots():
    """Methods × shots on DTD."""
    columns = tuple(Value(str(shots), str(shots), str(shots), {"shots": shots}) for shots in SHOTS)
    cells = []
    for row in world.methods():
        for column in columns:
            runs = world.member(row.key, "dtd").runs
            if row.key == "vp":
                runs = tuple(run.model_copy(update={"shots": column.settings["shots"]}) for run in runs)
            cells.append(Cell(row, column, (Member(row.label, world.backbone("clip_vit_b16"), "DTD", runs),)))
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
        return Epoch(epoch=number, lr=1, train_loss=3 - number / 2, train_accuracy=50, test_accuracy=accuracy)

    return {
        id: each.model_copy(update={"curve": [epoch(number, each.spec.seed) for number in range(1, 5)]})
        if each.spec.training
        else each
        for id, each in metrics.items()
    }


def gather(artefact, metrics, folder, embedded=None, scale=world.PAPER_SCALE):
    config, published = world.config(), world.published(folder)
    table = build(artefact, metrics, published, scale, config)
    return sources.Sources(artefact, metrics, table, folder / "runs", embedded or {}, published, scale, config)


def write(artefact, metrics, folder, embedded=None, name="figure", **config):
    stem = folder / "out" / name
    figures.write(
        artefact,
        metrics,
        stem,
        runs=folder / "runs",
        embedded=embedded or {},
        published_folder=world.published(folder),
        scale=world.PAPER_SCALE,
        config=world.config(**config),
    )
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
    (band,) = [each for each in axes.collections if each.get_gid() == "band vp"]
    low, high = band.get_datalim(axes.transData).intervaly
    assert low == pytest.approx(42 - 2**0.5) and high == pytest.approx(57 + 2**0.5)
    assert axes.get_xscale() == "log"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "4", "16"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Training images per class (shots)", "Accuracy (%)")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Zero-shot", "VP", "published"]
    assert drawn["VP"].get_marker() != drawn["Zero-shot"].get_marker()
    assert drawn["VP"].get_color() != drawn["Zero-shot"].get_color()
    assert "Scale paper; mean ± std over seeds 1, 2; epoch that is best on\nthe test set." in texts(figure)


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


def test_single_runs_are_not_pooled(tmp_path):
    artefact = world.artefact(kind="figure", drawing="curves", pool={"vary": "dataset"})
    with pytest.raises(UserError, match="attrvr_table1: drawing 'curves' shows single runs"):
        write(replace(planned("curves"), artefact=artefact), world.metrics(), tmp_path)


def test_selection_shows_best_last_and_the_difference(tmp_path):
    data = selection.collect(gather(planned("selection"), world.metrics(), tmp_path))
    figure = selection.draw(data)
    assert [axes.get_title() for axes in figure.axes] == ["DTD", "EuroSAT", "Average"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["Zero-shot", "VP"]
    eurosat = lines_of(figure.axes[1])
    assert points(eurosat["_best VP"]) == [(92.0, 1.0)]
    assert points(eurosat["_last VP"]) == [(84.5, 1.0)]
    assert points(eurosat["_best Zero-shot"]) == points(eurosat["_last Zero-shot"]) == [(50.0, 0.0)]
    assert {text.get_text() for text in figure.axes[1].texts} == {"0", "+7.5"}
    assert {axes.get_xlabel() for axes in figure.axes} == {"Accuracy (%)"}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["best test epoch", "last epoch"]
    vp = data.frame[(data.frame["row"] == "VP") & (data.frame["column"] == "Average")].iloc[0]
    assert (vp["best"], vp["last"], vp["gain"], vp["n"]) == (76.5, 72.0, 4.5, 2)


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
    image = patterns.read_pattern(patterns.Store(tmp_path), run, "last").image()
    inside = np.all(image == patterns.NEUTRAL, axis=-1)
    assert inside[2:5, 2:5].all() and inside.sum() == 9  # the extra pixel lies left and above
    np.testing.assert_allclose(image[~inside], 0.25, rtol=1e-6)
    with pytest.raises(UserError, match=r"no best\.pixels\.program can be read"):
        patterns.read_pattern(patterns.Store(tmp_path), run, "best")


def embedded(images=24, classes=3, m=2, dimension=8):
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
    return Embedded("run", "best", ("red_spot", "green spot", "blue spot"), sentences, tensors)


def with_embeddings(module, monkeypatch, tmp_path, drawing):
    content = embedded()
    monkeypatch.setattr(module, "read", lambda path: content)
    paths = {world.run("vp", data, 1).id: tmp_path / data for data in ("dtd", "eurosat")}
    return module.collect(gather(planned(drawing), world.metrics(), tmp_path, paths)), content


def test_embeddings_show_images_and_attributes_by_class(tmp_path, monkeypatch):
    data, _ = with_embeddings(embeddings, monkeypatch, tmp_path, "embeddings")
    assert data.panels == {"DTD": (pytest.approx(100 / 3), 100.0), "EuroSAT": (pytest.approx(100 / 3), 100.0)}
    counts = data.frame.groupby(["panel", "state", "kind"]).size()
    assert counts["DTD", "before", "image"] == 24
    assert counts["EuroSAT", "after", "descriptive"] == counts["DTD", "before", "distinctive"] == 3
    figure = embeddings.draw(data)
    assert len(figure.subfigs) == 2
    part = figure.subfigs[1]
    assert part.get_suptitle() == "EuroSAT"
    assert [axes.get_title() for axes in part.axes] == ["before (33.3 %)", "after (100.0 %)"]
    drawn = {each.get_label(): each.get_offsets() for each in part.axes[1].collections}
    assert [text.get_text() for text in part.legends[0].get_texts()] == ["red spot", "green spot", "blue spot"]
    own = data.frame.query("panel == 'EuroSAT' and state == 'after' and `class` == 'green spot'")
    for label, kind in (("green spot", "image"), ("_distinctive green spot", "distinctive")):
        np.testing.assert_array_equal(drawn[label], own[own["kind"] == kind][["x", "y"]])
    names = ["mean of descriptive sentences", "mean of distinctive sentences", "image"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == names


def test_embeddings_of_a_method_without_attributes_show_class_names():
    content = replace(embedded(), sentences={})
    assert set(embeddings.project(content)["kind"]) == {"image", "name"}


def test_neighbours_show_pictures_predictions_and_sentences(tmp_path, monkeypatch):
    data, content = with_embeddings(neighbours, monkeypatch, tmp_path, "neighbours")
    assert [(each.dataset, each.image) for each in data.examples] == [
        ("DTD", 1),
        ("DTD", 2),
        ("EuroSAT", 1),
        ("EuroSAT", 2),
    ]
    assert data.footer.startswith("Scale paper; one run each, seed 1; in brackets")
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


def test_the_record_says_what_the_index_needs(tmp_path):
    artefact = against_shots()
    record = sources.FigureRecord.model_validate_json(
        write(artefact, metrics_by_shots(artefact), tmp_path)["json"].read_text()
    )
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


def test_no_text_is_smaller_than_seven_points(tmp_path):
    artefact = against_shots()
    made = [
        lines.draw(lines.collect(gather(artefact, metrics_by_shots(artefact), tmp_path))),
        selection.draw(selection.collect(gather(planned("selection"), world.metrics(), tmp_path))),
        curves.draw(curves.collect(gather(planned("curves"), with_curves(world.metrics()), tmp_path))),
    ]
    for figure in made:
        figure.savefig(io.BytesIO())
        sizes = [each.get_fontsize() for each in figure.findobj(matplotlib.text.Text) if each.get_text().strip()]
        assert min(sizes) >= 7


@pytest.mark.parametrize("drawing", ["lines", "selection", "curves", "patterns", "embeddings", "neighbours"])
def test_every_drawing_can_be_made_when_nothing_has_run_yet(drawing, tmp_path):
    artefact = against_shots() if drawing == "lines" else planned(drawing)
    with pytest.raises(UserError, match="runs are missing"):
        write(artefact, {}, tmp_path)
    files = write(artefact, {}, tmp_path, partial=True)
    assert "* not finished" in files["json"].read_text()
    assert all(path.stat().st_size for path in files.values())
