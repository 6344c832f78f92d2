"""Cells, averages and notes against numbers worked out by hand."""

from dataclasses import replace

import pytest

from papertables.artefacts.tables import build, without_published
from papertables.base.errors import UserError
from papertables.planning.planned import Cell
from papertables.results.metrics import Epoch
from papertables.specs.config import OwnWeights
from tests.unit import artefact_world as world


def table(tmp_path, planned=None, metrics=None, values=None, subsets=None, **config):
    folder = world.published(tmp_path, **(values or {}))
    found = world.metrics() if metrics is None else metrics
    return build(world.configured(planned or world.planned(), **config), found, folder, subsets or {})


def cell(table, row, column):
    return table.cells[table.rows.index(row)][table.columns.index(column)]


def without(method, data, seed):
    return {id: each for id, each in world.metrics().items() if id != world.run(method, data, seed).id}


def diverged(method, data, seed):
    spec = world.run(method, data, seed)
    return world.metrics() | {spec.id: world.metrics_of(spec)}


def test_a_gain_is_the_difference_to_another_method_seed_by_seed():
    """VP over zero-shot on DTD: 60 and 62 over 40."""
    column, row = world.planned().columns[0], world.methods()[1]
    cell = Cell(row, column, (world.member("vp", "dtd"), world.member("zero_shot", "dtd")), "gain")
    planned = replace(world.planned(), rows=(row,), columns=(column,), cells=(cell,))
    ((made,),) = without_published(planned, world.metrics())
    assert (made.mean, made.std, made.n) == (21.0, pytest.approx(2**0.5), 2)


def test_mean_and_sample_deviation_over_seeds(tmp_path):
    found = cell(table(tmp_path), "VP", "DTD")
    assert (found.mean, found.n) == (61.0, 2)
    assert found.std == pytest.approx(2**0.5)  # of 60 and 62, with n − 1


def test_a_run_without_seed_has_no_deviation(tmp_path):
    found = cell(table(tmp_path), "Zero-shot", "DTD")
    assert (found.mean, found.std, found.n) == (40.0, None, 1)


def test_average_is_taken_seed_by_seed(tmp_path):
    made = table(tmp_path)
    assert made.columns == ("DTD", "EuroSAT", "Average")
    found = cell(made, "VP", "Average")
    assert found.mean == 76.5  # seed 1: 75, seed 2: 78
    assert found.std == pytest.approx(3 / 2**0.5)
    assert (cell(made, "Zero-shot", "Average").mean, cell(made, "Zero-shot", "Average").std) == (45.0, None)


def test_average_of_a_mixture_counts_an_unseeded_run_for_every_seed(tmp_path):
    planned = world.planned()
    mixed = planned.cells[2].__class__(planned.rows[1], planned.columns[0], (world.member("zero_shot", "dtd"),))
    planned = planned.__class__(**vars(planned) | {"cells": (*planned.cells[:2], mixed, planned.cells[3])})
    found = cell(table(tmp_path, planned), "VP", "Average")
    assert (found.mean, found.n) == (66.0, 2)  # seed 1: (40 + 90) / 2, seed 2: (40 + 94) / 2
    assert found.std == pytest.approx(2**0.5)


def test_an_average_over_no_data_set_is_empty(tmp_path):
    """As of transfers at a scale that has their source alone."""
    found = cell(table(tmp_path, world.planned(average_without=("dtd", "eurosat"))), "VP", "Average")
    assert (found.mean, found.runs, found.epochs) == (None, (), ())


def test_pooled_cell_is_the_average_over_its_members_per_seed(tmp_path):
    found = cell(table(tmp_path, world.pooled()), "VP", "CLIP ViT-B/16")
    assert (found.mean, found.n) == (76.5, 2)
    assert found.std == pytest.approx(3 / 2**0.5)
    assert found.quote.value == 76.3
    assert found.difference == pytest.approx(0.2)


def test_selection_last_takes_the_last_epoch(tmp_path):
    made = table(tmp_path, world.planned(selection="last"))
    assert cell(made, "VP", "DTD").mean == 59.5
    assert any("after the last epoch, where the paper reports 'best'" in note for note in made.notes)


def test_rows_that_show_another_epoch_than_their_table_are_marked(tmp_path):
    made = table(tmp_path, world.keeping_best())
    for column in made.columns:
        assert (cell(made, "VP", column).mark, cell(made, "VP", column).epochs) == ("§", ("best",))
        assert (cell(made, "Zero-shot", column).mark, cell(made, "Zero-shot", column).epochs) == ("", ("last",))
    assert cell(made, "VP", "DTD").mean == 61.0
    assert made.in_sight.endswith("; last epoch (§: best epoch on the test set).")
    assert any("§ Of VP the best epoch on the test set, whose learner" in note for note in made.notes)
    asked = table(tmp_path, world.keeping_best(), selection="last")
    assert {found.mark for row in asked.cells for found in row} == {""}
    assert "§" not in " ".join([asked.in_sight, *asked.notes])


def test_published_value_and_difference(tmp_path):
    made = table(tmp_path)
    assert cell(made, "VP", "EuroSAT").quote.value == 91.2
    assert cell(made, "VP", "EuroSAT").difference == pytest.approx(0.8)
    assert cell(made, "VP", "Average").difference == pytest.approx(0.2)
    assert cell(made, "Zero-shot", "DTD").quote is None
    assert made.sources == ("AttrVR, T1: quoted somewhere",)
    assert any("(ours minus published). 3 of 6 cells have a published number." in note for note in made.notes)


def test_a_table_without_published_numbers_says_so(tmp_path):
    notes = table(tmp_path, world.planned(published=[])).notes
    assert "No published numbers are known for this table." in notes
    assert not any("have a published number" in note for note in notes)


def test_best_of_each_column_is_marked(tmp_path):
    made = table(tmp_path)
    assert all(found.best for found in made.cells[1])
    assert not any(found.best for found in made.cells[0])


def test_rows_of_data_sets_get_an_average_row_and_a_best_per_row(tmp_path):
    upright = world.planned()
    cells = tuple(upright.cells[i] for i in (0, 2, 1, 3))
    cells = tuple(found.__class__(found.column, found.row, found.members) for found in cells)
    turned = world.planned(rows={"vary": "dataset"}, columns={"vary": "method"})
    turned = turned.__class__(**vars(turned) | {"rows": upright.columns, "columns": upright.rows, "cells": cells})
    made = table(tmp_path, turned)
    assert made.rows == ("DTD", "EuroSAT", "Average")
    assert cell(made, "Average", "VP").mean == 76.5
    assert cell(made, "Average", "VP").quote.value == 76.3
    assert [found.best for row in made.cells for found in row] == [False, True] * 3
    assert made.corner == "Data set"


def test_a_diverged_run_empties_its_cell_and_is_listed(tmp_path):
    made = table(tmp_path, metrics=diverged("vp", "dtd", 2))
    for column in ("DTD", "Average"):
        assert (cell(made, "VP", column).mean, cell(made, "VP", column).mark) == (None, "†")
    assert cell(made, "VP", "EuroSAT").mean == 92.0
    assert made.failures == (f"† diverged in epoch 1, step 17: {world.run('vp', 'dtd', 2).id}",)


def ended(method, data, seed, best):
    spec = world.run(method, data, seed)
    return world.metrics() | {spec.id: world.ended(spec, best)}


def test_a_run_that_keeps_its_best_epoch_shows_it_with_a_mark(tmp_path):
    made = table(tmp_path, world.under(world.planned(), "keep_best"), ended("vp", "dtd", 2, 70.0))
    assert (cell(made, "VP", "DTD").mean, cell(made, "VP", "DTD").n, cell(made, "VP", "DTD").mark) == (65.0, 2, "†")
    assert (cell(made, "VP", "Average").mean, cell(made, "VP", "Average").mark) == (78.5, "†")
    assert cell(made, "VP", "EuroSAT").mark == ""
    run = world.run("vp", "dtd", 2).id
    assert made.failures == (f"† diverged in epoch 3, step 17, the best epoch before is shown: {run}",)


@pytest.mark.parametrize(
    ("rule", "selection", "best"),
    [("keep_best", "last", 70.0), ("stop", "best", 70.0), ("keep_best", "best", None)],
    ids=["last epochs are shown", "it does not keep it", "it has none"],
)
def test_nothing_is_shown_of_a_diverged_run_where(tmp_path, rule, selection, best):
    found = ended("vp", "dtd", 2, best) if best else diverged("vp", "dtd", 2)
    made = table(tmp_path, world.under(world.planned(selection=selection), rule), found)
    for column in ("DTD", "Average"):
        assert (cell(made, "VP", column).mean, cell(made, "VP", column).mark) == (None, "†")
    assert made.failures == (f"† diverged in epoch {3 if best else 1}, step 17: {world.run('vp', 'dtd', 2).id}",)


@pytest.mark.parametrize("measure", ["seconds", "peak_memory_mb", "parameters"])
def test_what_a_diverged_run_took_is_no_cost_of_its_method(tmp_path, measure):
    planned = world.under(world.planned(average=False), "keep_best")
    planned = planned.__class__(
        **vars(planned) | {"cells": tuple(replace(each, measure=measure) for each in planned.cells)}
    )
    found = cell(table(tmp_path, planned, ended("vp", "dtd", 2, 70.0)), "VP", "DTD")
    assert (found.mean, found.mark) == (10.0 if measure == "parameters" else None, "†")


def test_steps_that_were_left_out_are_told(tmp_path):
    steps = {"dtd": {3: 1}, "eurosat": {2: 3, 4: 2}}
    found = world.metrics()
    for data, by_epoch in steps.items():
        curve = [Epoch(epoch=i, lr=1, train_loss=2, train_accuracy=50) for i in range(1, 5)]
        curve = [each.model_copy(update={"nonfinite_steps": by_epoch.get(each.epoch, 0)}) for each in curve]
        id = world.run("vp", data, 1).id
        found[id] = found[id].model_copy(update={"curve": curve})
    made = table(tmp_path, world.under(world.planned(), "skip"), found)
    assert made.failures == (
        f"1 step of epoch 3 without a finite loss, left out: {world.run('vp', 'dtd', 1).id}",
        f"5 steps of epochs 2 to 4 without a finite loss, left out: {world.run('vp', 'eurosat', 1).id}",
    )
    assert (cell(made, "VP", "DTD").mean, cell(made, "VP", "DTD").mark) == (61.0, "")


def test_a_missing_run_is_an_error_that_names_it(tmp_path):
    with pytest.raises(UserError, match="1 of 6 runs are missing") as error:
        table(tmp_path, metrics=without("vp", "dtd", 2))
    assert world.run("vp", "dtd", 2).id in str(error.value)
    assert "partial=true" in str(error.value)


def test_partial_takes_the_seeds_that_are_there(tmp_path):
    made = table(tmp_path, metrics=without("vp", "dtd", 2), partial=True)
    found = cell(made, "VP", "DTD")
    assert (found.mean, found.std, found.n, found.mark) == (60.0, None, 1, "*")
    assert cell(made, "VP", "Average").mean == 75.0  # seed 1 alone has both data sets
    assert made.failures == (f"* not finished, or of other code, data or weights: {world.run('vp', 'dtd', 2).id}",)


def test_partial_prints_nothing_where_nothing_is_there(tmp_path):
    made = table(tmp_path, metrics={}, partial=True)
    assert all(found.mean is None and found.mark == "*" for row in made.cells for found in row)
    assert len(made.failures) == 6


def test_an_average_over_other_data_sets_gives_no_difference(tmp_path):
    planned = world.planned(published=[{"file": "table1.csv", "average": "Average(11, no ImageNet)"}])
    made = table(tmp_path, planned, values={"Average": "", "Average(11, no ImageNet)": "70.0"})
    found = cell(made, "VP", "Average")
    assert (found.quote.value, found.difference, found.mark) == (70.0, None, "‡")
    assert any("covers 11 data sets, ours 2" in note for note in made.notes)


def test_a_scale_that_does_not_compare_shows_the_published_table_apart(tmp_path):
    made = table(tmp_path, world.planned(comparable=False))
    assert not made.compares
    assert made.published.columns == ("DTD", "EuroSAT", "Average")
    assert [quote and quote.value for quote in made.published.quotes[1]] == [61.4, 91.2, 76.3]
    assert made.published.quotes[0] == (None, None, None)
    notes = " ".join(made.notes)
    assert "mini ViT stands in for CLIP ViT-B/16" in notes
    assert "no published number stands beside a cell" in notes
    assert "the published table follows below. It has numbers in 3 of 6 cells." in notes


def test_notes_say_how_the_numbers_were_made(tmp_path):
    notes = " ".join(table(tmp_path).notes)
    assert "Scale paper: The published protocol." in notes
    assert "over seeds 1, 2; a method that draws nothing has one run" in notes
    assert "16 shots per class; epochs 4; batch size 64; learning rate 40." in notes
    assert "Selection best: accuracy of the epoch that is best on the test set (its scripts)." in notes
    assert "few_shot_draw = shared (as published). read in the source." in notes
    assert "attribute_stream" not in notes  # no run reads attributes
    assert "1 published average follows from its own printed row." in notes
    assert "Licences of data sets: unknown (DTD), MIT (EuroSAT); of weights: MIT (CLIP ViT-B/16)." in notes


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"path": "my/own.pt"}, "read as ViT-B-16 of OpenAI (QuickGELU), for nothing else was said."),
        ({"path": "my/own.pt", "architecture": "ViT-B-16"}, "read as ViT-B-16 of open_clip, as the user says."),
    ],
)
def test_weights_of_the_users_and_what_they_were_read_as(tmp_path, own, said):
    made = table(tmp_path, weights={"clip_vit_b16": OwnWeights(**own)})
    assert f"CLIP ViT-B/16: weights of the user's, own.pt, {said}" in made.notes
