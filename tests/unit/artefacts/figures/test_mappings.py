"""Label mappings over the epochs: the heaviest labels, and how they came about."""

import numpy as np
import pytest

from papertables.artefacts.figures import evolution, sources, top_labels
from papertables.base.errors import UserError
from tests.unit import artefact_world as world
from tests.unit.artefacts.figures.figure_world import (
    gather,
    mapped,
    paths_of,
    planned,
    points,
    store_mappings,
    vp_alone,
    with_curves,
)


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
