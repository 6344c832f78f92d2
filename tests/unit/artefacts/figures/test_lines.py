"""Lines, selections and curves: axes, labels, series and points."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from papertables.artefacts.figures import curves, lines, selection, style
from papertables.base.errors import UserError
from papertables.planning.axes import Value
from papertables.planning.planned import Cell
from tests.unit import artefact_world as world
from tests.unit.artefacts.figures.figure_world import (
    against_shots,
    columns_of,
    gather,
    lines_of,
    metrics_by_shots,
    planned,
    points,
    texts,
    with_curves,
    write,
)


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
