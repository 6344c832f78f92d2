"""A data set that is there in part: every artefact names it, and none compares it with published numbers."""

import json
from dataclasses import replace

import pandas as pd
import pytest

from papertables.artefacts import computed, figures, render
from papertables.artefacts.index import write_pages
from papertables.artefacts.run_pages import Results
from papertables.artefacts.subsets import read_subsets
from papertables.artefacts.tables import build
from papertables.data.splits import SUBSET
from papertables.planning.axes import Value
from papertables.planning.planned import Cell
from tests.unit import artefact_world as world
from tests.unit.artefacts.test_audit import searched
from tests.unit.plans import plan_of

SAID = "EuroSAT: a subset of 20 of 13,500 training and 30 of 8,100 test images"
COUNTS = {"classes": 10, "train": 20, "val": 0, "test": 30}


def manifests(folder, **made_by) -> dict[str, str]:
    """Manifests by data set; one whose maker is None is not there."""
    found = {name: folder / name / "manifest.json" for name in made_by}
    for name, maker in made_by.items():
        found[name].parent.mkdir(parents=True, exist_ok=True)
        if maker:
            found[name].write_text(json.dumps(COUNTS | {"made_by": maker, "digest": "0" * 64}), "utf-8")
    return {name: str(path) for name, path in found.items()}


def table(folder, planned=None, metrics=None):
    subsets = read_subsets(manifests(folder, dtd="split_zhou_DescribableTextures.json", eurosat=SUBSET))
    return build(planned or world.planned(), metrics or world.metrics(), world.published(folder), subsets)


def quoted(table) -> dict[tuple[str, str], float]:
    """The published numbers by row and column."""
    rows = zip(table.rows, table.cells, strict=True)
    cells = [(name, column, cell) for name, row in rows for column, cell in zip(table.columns, row, strict=True)]
    return {(name, column): cell.quote.value for name, column, cell in cells if cell.quote}


def test_a_subset_is_said_with_its_counts_and_the_wholes(tmp_path):
    assert read_subsets(manifests(tmp_path, dtd=None, eurosat=SUBSET)) == {"eurosat": SAID}
    assert read_subsets(manifests(tmp_path, eurosat="split_zhou_EuroSAT.json")) == {}


def test_no_published_number_stands_beside_a_subset_nor_beside_averages_over_it(tmp_path):
    made = table(tmp_path)
    assert quoted(made) == {("VP", "DTD"): 61.4}
    assert all(cell.difference is None for row in made.cells for cell in row[1:])
    notes = " ".join(made.notes)
    assert f"Scale paper: The published protocol; {SAID}." in notes
    assert "No published number stands beside cells of EuroSAT, nor beside averages over them" in notes
    assert "1 of 6 cells have a published number." in notes
    assert made.subsets == (SAID,)


def test_an_average_without_the_subset_is_compared(tmp_path):
    made = table(tmp_path, world.planned(average_without=("eurosat",)))
    assert quoted(made) == {("VP", "DTD"): 61.4, ("VP", "Average"): 76.3}


def test_a_pooled_cell_with_a_subset_among_its_data_sets_is_not_compared(tmp_path):
    made = table(tmp_path, world.pooled())
    assert quoted(made) == {}
    assert any(note.startswith("No published number stands beside cells of EuroSAT") for note in made.notes)
    assert not any("No published numbers are known" in note for note in made.notes)


def test_a_row_of_published_numbers_alone_has_none_of_a_subset(tmp_path):
    planned = world.planned()
    cells = tuple(replace(cell, members=()) if cell.row.key == "vp" else cell for cell in planned.cells)
    assert quoted(table(tmp_path, replace(planned, cells=cells))) == {("VP", "DTD"): 61.4}


def test_training_on_all_images_says_which(tmp_path):
    planned = world.planned()

    def whole(cell: Cell) -> Cell:
        unshot = [run.model_copy(update={"shots": None}) for member in cell.members for run in member.runs]
        return replace(cell, members=(replace(cell.members[0], runs=tuple(unshot)),))

    changed = replace(planned, cells=tuple(map(whole, planned.cells)))
    made = table(tmp_path, changed, {run.id: world.metrics_of(run, 50.0, 50.0) for run in changed.runs})
    assert any(note.startswith("Training: all training images that are there") for note in made.notes)


def test_at_a_scale_of_other_data_a_subset_is_named_too(tmp_path):
    made = table(tmp_path, world.planned(comparable=False))
    assert SAID in made.notes[0]
    assert not any(note.startswith("No published number stands") for note in made.notes)


@pytest.mark.slow
def test_a_figure_names_the_subset_and_draws_no_published_mark_for_it(tmp_path):
    columns = tuple(Value(str(shots), str(shots), str(shots), {"shots": shots}) for shots in (1, 16))
    planned = world.planned(
        kind="figure",
        drawing="lines",
        columns={"vary": "shots", "values": [1, 16]},
        fixed={"dataset": "eurosat", "backbone": "clip_vit_b16"},
        average=False,
    )
    cells = tuple(Cell(row, column, (world.member(row.key, "eurosat"),)) for row in planned.rows for column in columns)
    planned = replace(planned, columns=columns, cells=cells)
    files = world.files(world.published(tmp_path), manifests=manifests(tmp_path, eurosat=SUBSET))
    figures.write(planned, world.metrics(), files, tmp_path / "figure")
    record = json.loads((tmp_path / "figure.json").read_text("utf-8"))
    assert record["subsets"] == [SAID] and SAID in record["notes"][0]
    assert pd.read_csv(tmp_path / "figure.csv")["published"].isna().all()
    figures.write(planned, world.metrics(), replace(files, manifests={}), tmp_path / "whole")
    assert pd.read_csv(tmp_path / "whole.csv")["published"].notna().any()


def test_the_page_names_the_subset(tmp_path):
    made, planned = table(tmp_path), world.planned()
    render.write(made, tmp_path / "table1")
    results = Results([tmp_path / "table1.json"], [planned], world.metrics(), {})
    write_pages(tmp_path, results, planned.scope.scale, planned.scope.config)
    assert f"<dt>Data</dt><dd>{SAID}</dd>" in (tmp_path / "index.html").read_text("utf-8")


@pytest.mark.slow
def test_a_search_on_a_subset_is_not_compared(tmp_path):
    plan, id = plan_of(scale="paper"), "atprompt_table13"
    files = plan.inputs.artefact(plan.artefacts[id])
    (name,) = files.manifests
    files = replace(files, searches=searched(tmp_path, plan, id, 0), manifests={})
    assert quoted(computed.build(plan.artefacts[id], files))
    files = replace(files, manifests=manifests(tmp_path, **{name: SUBSET}))
    made = computed.build(plan.artefacts[id], files)
    assert not quoted(made)
    assert made.notes[-1] == f"{made.subsets[0]}."


@pytest.mark.parametrize("id", ["attrvr_table1", "atprompt_table2", "atprompt_table12"])
def test_an_artefact_reads_the_manifests_of_all_data_sets_that_it_sees(id):
    plan = plan_of(scale="paper")
    planned = plan.artefacts[id]
    files = plan.inputs.artefact(planned)
    seen = {run.dataset for run in planned.runs} | {search.dataset for search in planned.searches}
    assert seen <= set(files.manifests) and seen
    assert files.files["manifests"] == list(files.manifests.values())
    assert set(files.files["manifests"]) <= {plan.paths.manifest(name) for name in files.manifests}
