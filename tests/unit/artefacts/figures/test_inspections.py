"""What inspected runs show: embeddings, masks, confidences, changes of loss, neighbours."""

from dataclasses import replace

import matplotlib
import numpy as np
import pytest

from papertables.artefacts.figures import confidence, embeddings, loss_change, masks, neighbours, sources, style
from tests.unit import artefact_world as world
from tests.unit.artefacts.figures.figure_world import (
    gather,
    inspected,
    mapped,
    masked,
    paths_of,
    planned,
    texts,
    with_inspections,
)


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
