"""Published numbers: matching, averages, malformed files."""

import pytest

from papertables.artefacts import compare
from papertables.base.errors import UserError
from papertables.planning.axes import Value
from tests.unit import artefact_world as world


def read(folder):
    return compare.read(folder, world.artefact().published)


def quotes(folder, row, column):
    return compare.quotes(world.artefact(), world.PAPER, read(folder), [row], [column])[0][0]


VP = Value("vp", "VP", "VP", {"method": "vp"})
DTD = Value("dtd", "DTD", "DTD", {"dataset": "dtd"})


def notes(folder):
    return compare.average_notes(world.PAPER.datasets, read(folder), [quotes(folder, VP, compare.average_value())])


def test_matches_backbone_data_set_and_method(tmp_path):
    found = quotes(world.published(tmp_path), VP, DTD)
    assert (found.value, found.digits, found.source) == (61.4, 1, "AttrVR, T1: quoted somewhere")


def test_a_value_left_empty_is_none(tmp_path):
    assert quotes(world.published(tmp_path, DTD=""), VP, DTD) is None


def test_numbers_for_other_shots_do_not_match(tmp_path):
    one_shot = Value("dtd", "DTD", "DTD", {"dataset": "dtd", "shots": 1})
    assert quotes(world.published(tmp_path), VP, one_shot) is None


def test_other_settings_than_the_papers_do_not_match_its_number(tmp_path):
    narrow = Value("8", "8", "8", {"options.pad": 8})
    assert compare._method(world.PAPER, {"method": "vp"}, [narrow]) == "VP[pad=8]"
    named = Value("no border", "no border", "no border", {"method": "vp", "options.pad": 0})
    assert compare._method(world.PAPER, {"method": "vp"}, [named]) == "no border"


def test_average_row_and_its_reach(tmp_path):
    found = quotes(world.published(tmp_path), VP, compare.average_value())
    assert (found.value, found.covers) == (76.3, 2)


def test_an_average_that_follows(tmp_path):
    assert notes(world.published(tmp_path)) == ["1 published average follows from its own printed row."]


@pytest.mark.parametrize("printed", ["76.2", "76.3"])
def test_an_exact_half_may_be_rounded_either_way(tmp_path, printed):
    folder = world.published(tmp_path, DTD="61.4", EuroSAT="91.1", Average=printed)  # mean 76.25
    assert notes(folder) == ["1 published average follows from its own printed row."]


def test_an_average_that_does_not_follow(tmp_path):
    assert notes(world.published(tmp_path, Average="76.5")) == [
        "The published average of VP with CLIP ViT-B/16 does not follow from its own row: "
        "printed 76.5, the mean of its 2 values is 76.300."
    ]


def test_an_average_with_a_part_unknown_cannot_be_checked(tmp_path):
    assert notes(world.published(tmp_path, DTD="")) == [
        "The published average of VP with CLIP ViT-B/16 cannot be checked: 1 of its 2 values are known."
    ]


def test_a_value_that_is_no_number_names_file_and_line(tmp_path):
    with pytest.raises(UserError, match=r"table1\.csv:2: value is 'sixty'"):
        read(world.published(tmp_path, DTD="sixty"))


def test_a_missing_column_and_a_missing_file(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read(tmp_path)
    (tmp_path / "table1.csv").write_text("paper,table\n")
    with pytest.raises(UserError, match="columns protocol, backbone, dataset"):
        read(tmp_path)


def test_two_values_for_the_same_cell_are_an_error(tmp_path):
    folder = world.published(tmp_path)
    path = folder / "table1.csv"
    path.write_text(path.read_text() + path.read_text().splitlines()[1].replace("61.4", "61.5") + "\n")
    with pytest.raises(UserError, match=r"table1\.csv:5: a second value for VP, DTD"):
        read(folder)
