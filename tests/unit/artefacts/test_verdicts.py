"""What is written of a paper, and how numbers agree with printed ones."""

from pathlib import Path

import pytest

from papertables.artefacts import verdicts
from papertables.artefacts.table import TableCell
from papertables.base.errors import UserError
from papertables.results.verdicts import PaperVerdicts, Tally, read_verdicts
from tests.unit import artefact_world as world
from tests.unit.artefacts.test_tables import table

EXAMPLE = Path(__file__).parents[1] / "recorded" / "verdicts.json"


def cell(mean, std, printed, printed_std=None):
    quote = {"value": printed, "digits": 1, "std": printed_std, "source": "s", "backbone": "b", "dataset": "d"}
    quote |= {"method": "m"}
    return TableCell(mean=mean, std=std, quote=quote, difference=mean - printed)


@pytest.mark.parametrize(
    ("found", "agreement"),
    [
        (cell(61.0, 1.0, 62.0), "within"),
        (cell(61.0, 0.6, 62.0, 0.8), "within"),  # √(0.6² + 0.8²) = 1
        (cell(61.0, 0.6, 62.0), "near"),
        (cell(61.0, 0.4, 62.0), "beyond"),
        (cell(61.04, 0.0, 61.0), "within"),  # what rounding hides
        (cell(61.2, None, 61.0), "unknown"),
        (TableCell(mean=61.0), "unpublished"),
        (TableCell(text="yes"), None),
    ],
)
def test_a_number_agrees_within_joined_deviations(found, agreement):
    assert verdicts.agreement(found) == agreement


def test_averages_are_not_counted_beside_what_they_are_of(tmp_path):
    found = verdicts.agreements(table(tmp_path))
    assert verdicts.tally(found.values()) == Tally(within=2, unpublished=2)  # VP 61.0 and 92.0 by 61.4 and 91.2
    assert str(verdicts.tally(found.values())) == "2 of 2 cells within one standard deviation"


def test_what_is_written_is_read_again(tmp_path):
    found = read_verdicts(EXAMPLE)
    verdicts.write(found, tmp_path / "attrvr")
    assert read_verdicts(tmp_path / "attrvr.json") == found
    text = (tmp_path / "attrvr.md").read_text()
    for claim in found.claims:
        assert claim.words in text and claim.verdict in text


def test_damage_is_told(tmp_path):
    verdicts.write(read_verdicts(EXAMPLE), tmp_path / "attrvr")
    path = tmp_path / "attrvr.json"
    path.write_text(path.read_text().replace("fails", "holds").replace("cannot be told", "holds"))
    with pytest.raises(UserError, match="damaged"):
        read_verdicts(path)


def test_our_reading_is_said():
    claim = next(each for each in read_verdicts(EXAMPLE).claims if each.reading)
    assert verdicts.told_where(claim) == f"{claim.place}; our reading"
    noted = claim.model_copy(update={"note": "about four begins at 3.5"})
    assert verdicts.told_where(noted).endswith("; our reading: about four begins at 3.5")


def test_a_row_for_every_comparison():
    found: PaperVerdicts = read_verdicts(EXAMPLE)
    assert len(verdicts.tidy(found)) == sum(len(claim.parts) for claim in found.claims)


def test_the_world_of_a_scale_is_said_of_it_alone():
    assert verdicts._world(world.scope(comparable=True)) == ""
    assert verdicts._world(world.scope(comparable=False)) == "In the mini world, not of the paper: "


def test_methods_that_show_another_epoch_are_named():
    assert verdicts._other_epochs([world.keeping_best(), world.planned()]) == {"selection of VP": "best"}
