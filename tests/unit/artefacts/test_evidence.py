"""Against rliable 1.2.0 and scikit-posthocs 0.17.1 on the same numbers, which were run once."""

import numpy as np
import pytest

from papertables.artefacts import evidence

OF = np.array([[60.0, 62, 64], [90, 94, 92], [30, 31, 29], [70, 70, 75]])  # (data sets, seeds)
OVER = np.array([[61.0, 60, 60], [89, 90, 91], [33, 30, 32], [70, 66, 70]])
RLIABLE = {"probability": 0.6388888888888888, "interval": (1 / 6, 7 / 3)}


def gain(means):
    return (means[..., 0, :] - means[..., 1, :]).mean(-1)


def pairs(of=OF, over=OVER):
    return [np.stack(pair) for pair in zip(of, over, strict=True)]


def test_probability_of_improvement_is_rliables():
    assert evidence.probability_of_improvement(OF, OVER) == pytest.approx(RLIABLE["probability"])


def test_the_interval_of_paired_differences_is_rliables():
    found = evidence.estimate(pairs(), gain, exact=False)
    assert found.effect == pytest.approx(1.25)
    assert found.interval == pytest.approx(RLIABLE["interval"], abs=0.09)  # one step between resampled means


def test_seeds_that_move_both_alike_leave_no_spread():
    shared = np.array([[0.0, 9, -4]] * 4)
    found = evidence.estimate(pairs(OVER + 2 + shared, OVER + shared), gain, exact=False)
    assert found.interval == pytest.approx((2, 2))


def test_one_seed_has_no_interval():
    found = evidence.estimate(pairs(OF[:, :1], OVER[:, :1]), gain, exact=False)
    assert (found.interval, found.error, found.seeds) == (None, None, 1)


def test_what_no_seed_changes_is_known():
    found = evidence.estimate(pairs(OF[:, :1], OVER[:, :1]), gain, exact=True)
    assert found.interval == (found.effect, found.effect)


def test_seeds_needed_bring_the_interval_to_the_bound():
    found = evidence.Estimate(effect=1.0, interval=(-1.0, 3.0), error=1.0, seeds=3)
    assert evidence.seeds_needed(found, 0.0) == 12  # 3 · 1.96² = 11.5
    assert evidence.seeds_needed(found, 1.0) is None  # no number of seeds tells two equals apart
    assert evidence.seeds_needed(found, 0.99) is None  # more than anybody trains


def test_the_critical_difference_is_demsars():
    assert evidence.critical_difference(5, 11) == pytest.approx(2.728 * (30 / 66) ** 0.5, abs=1e-3)


def test_ranks_share_ties():
    assert list(evidence.mean_ranks(np.array([[3.0, 1], [2, 1], [1, 5]]))) == [1.75, 2.25, 2.0]
