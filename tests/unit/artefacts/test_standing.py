"""Best and second, ranks and win rates, by hand."""

import pytest

from papertables.artefacts.standing import places, standings


@pytest.mark.parametrize(
    ("numbers", "found"),
    [
        ([50.0, 70.0, 60.0], [None, "best", "second"]),
        ([70.04, 69.96, 60.0, 50.0], ["best", "best", "second", None]),  # as they are printed
        ([None, 70.0, 60.0], [None, "best", "second"]),
        ([100.0, 100.0, 90.0], [None, None, None]),
        ([100.0, 90.0, 90.0], ["best", "second", "second"]),
        ([50.0, 50.0], [None, None]),
        ([50.0], [None]),
        ([None, None], [None, None]),
        ([], []),
    ],
)
def test_places(numbers, found):
    assert places(numbers) == found


def test_ranks_are_means_over_data_sets_and_ties_share_theirs():
    found = standings([[90.0, 80.0], [80.0, 80.0], [70.0, 60.0]])
    assert [each.rank for each in found] == [1.25, 1.75, 3.0]
    assert [each.win_rate for each in found] == [0.875, 0.625, 0.0]


def test_a_data_set_counts_that_two_methods_have_a_number_on():
    found = standings([[90.0, 80.0, 70.0], [80.0, None, 60.0], [None, None, 50.0], [None, None, None]])
    assert found[0].rank == 1.0 and found[0].win_rate == 1.0
    assert found[1].rank == 2.0 and found[1].win_rate == 0.25
    assert found[2].rank == 3.0
    assert found[3] is None


def test_one_data_set_is_no_standing():
    assert standings([[90.0], [80.0]]) == [None, None]
    assert standings([[90.0, 80.0]]) == [None]
