"""Tables that are computed: against the published numbers, at every scale, in every format."""

import csv
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from papertables.artefacts import computed, render
from papertables.artefacts.computed import upscaling
from papertables.artefacts.computed.mask_parameters import backbone_parameters
from papertables.backbones.catalog import backbone
from papertables.base.errors import UserError
from tests.unit.plans import REPOSITORY, plan_of

pytestmark = pytest.mark.slow  # whole plans of the paper scale

TABLES = {"smm_table4": 21, "smm_table5": 18, "smm_table6": 44, "smm_table9": 66}  # lines of the published file


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(upscaling, "BATCH", 2)
    monkeypatch.setattr(upscaling, "PART", 1)


def build(id, scale="paper", folder=None, **choices):
    made = plan_of(scale=scale, choices=choices)
    planned = made.artefacts[id]
    files = made.inputs.artefact(planned)
    return computed.build(planned, replace(files, published_folder=str(folder)) if folder else files)


def cell(table, row, column):
    return table.cells[table.rows.index(row)][table.columns.index(column)]


def differences(table):
    """Where ours and the published number differ in the printed digits: (row, column) to the difference."""
    return {
        (row, column): round(cell.difference, cell.quote.digits)
        for row, cells in zip(table.rows, table.cells, strict=True)
        for column, cell in zip(table.columns, cells, strict=True)
        if cell.difference and round(cell.mean, cell.quote.digits) != cell.quote.value
    }


@pytest.mark.parametrize(("id", "lines"), TABLES.items())
def test_every_published_line_stands_beside_a_cell(id, lines):
    table = build(id)
    quotes = {
        (cell.quote.backbone, cell.quote.dataset, cell.quote.method, column)
        for cells in table.cells
        for column, cell in zip(table.columns, cells, strict=True)
        if cell.quote
    }
    printed_twice = len(table.rows) if id == "smm_table9" else 0  # both milestones stand in one printed text
    assert len(quotes) == lines + printed_twice
    name = id.removeprefix("smm_")
    with (REPOSITORY / "workflow" / "papers" / "smm" / "published" / f"{name}.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == lines


def test_parameters_and_shares_are_the_published_ones():
    table = build("smm_table4")
    assert not differences(table)
    assert [cell.mean for cell in (row[2] for row in table.cells)][:3] == [26499, 26499, 102339]


@pytest.mark.parametrize(
    ("name", "expected"), [("resnet18", 11_689_512), ("resnet50_v2", 25_557_032), ("vit_b32_384", 88_297_192)]
)
def test_parameters_of_the_backbones(name, expected):
    assert backbone_parameters(backbone(name)) == expected


def test_pixel_accesses_are_the_published_ones_and_seconds_have_no_difference():
    table = build("smm_table5")
    assert not differences(table)
    seconds = [row[1] for row in table.cells]
    assert all(
        cell.difference is None and cell.quote.std and cell.mean > 0 and cell.std is not None for cell in seconds
    )
    assert {cell.n for cell in seconds} == {upscaling.REPEATS}


@pytest.mark.parametrize(("name", "expected"), [("patch-wise", 1), ("bilinear", 4), ("bicubic", 16)])
@pytest.mark.parametrize("patch", [2, 4, 8])
def test_values_a_pixel_is_made_of(name, expected, patch):
    assert upscaling.values_per_pixel(upscaling.KINDS[name], patch) == expected


@pytest.mark.parametrize("name", upscaling.KINDS)
def test_all_kinds_of_upscaling_give_the_size_of_the_input(name):
    mask = torch.rand(2, 3, 4, 4)
    assert upscaling.KINDS[name](mask, 8).shape == (2, 3, 32, 32)
    constant = upscaling.KINDS[name](torch.ones(1, 1, 4, 4), 8)
    torch.testing.assert_close(constant, torch.ones(1, 1, 32, 32))


@pytest.mark.parametrize(
    ("id", "said"), [("smm_table5", "18 of 18"), ("smm_table6", "44 of 44"), ("smm_table9", "77 of 77")]
)
@pytest.mark.parametrize("scale", ["mini", "paper"])
def test_how_many_cells_have_a_published_number_is_said(id, said, scale):
    assert f"{said} cells have a published number." in build(id, scale).notes


def test_data_sets_differ_in_two_published_numbers():
    assert differences(build("smm_table6")) == {
        ("SUN397", "training images"): -8,
        ("GTSRB", "training images"): 26_640 - 39_209,
    }


def test_the_final_set_of_gtsrb_has_the_printed_size():
    table = build("smm_table6", gtsrb_training_set="final")
    assert differences(table) == {("SUN397", "training images"): -8}
    (note,) = [note for note in table.notes if note.startswith("Choice ")]
    assert note.startswith("Choice gtsrb_training_set = final: GTSRB has the 39,209 images")
    assert "Choice gtsrb_training_set = first_phase: GTSRB has the 26,640" in " ".join(build("smm_table6").notes)


def test_the_second_milestone_can_be_the_printed_one():
    table = build("smm_table9", second_milestone="145", gtsrb_training_set="final")
    assert not differences(table)
    (note,) = [note for note in table.notes if note.startswith("Choice ")]
    assert note.startswith("Choice second_milestone = 145: ") and note.endswith("Other values: 144.")


def test_settings_differ_in_the_second_milestone():
    table = build("smm_table9")
    assert differences(table) == {(row, "second milestone (epoch)"): -1 for row in table.rows}
    assert cell(table, "DTD", "batch size").mean == 64
    assert cell(table, "SVHN", "learning rate, 6 layers").mean == 0.001


@pytest.mark.parametrize("id", ["smm_table4", "smm_table6", "smm_table9"])
def test_the_mini_scale_shows_the_papers_own(id):
    assert build(id, "mini").model_copy(update={"scale": "paper"}) == build(id)


@pytest.mark.parametrize("id", TABLES)
def test_renders_in_every_format(id, tmp_path):
    table = build(id)
    render.write(table, tmp_path / id)
    assert render.read(tmp_path / f"{id}.json") == table
    for suffix in (".md", ".csv", ".tex", ".html"):
        text = (tmp_path / f"{id}{suffix}").read_text()
        assert table.title in text or suffix == ".csv"
    assert render.beside(table.cells[0][0]) in (tmp_path / f"{id}.md").read_text()


def test_a_missing_file_is_said_so(tmp_path):
    with pytest.raises(UserError, match=r"table6\.csv: no such file of published numbers"):
        build("smm_table6", folder=tmp_path)


def test_the_package_is_imported_without_torch():
    code = "import sys; from papertables.artefacts import computed; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
