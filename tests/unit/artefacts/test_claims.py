"""Comparisons of cells with made-up accuracies, and their verdicts."""

import numpy as np
import pytest

from papertables.artefacts.claims import Known, findings
from papertables.artefacts.samples import Grid, Sample, of_runs, of_searches, of_table, scatter
from papertables.artefacts.tables import build
from papertables.results.searches import SearchResult
from papertables.specs.claims import Claim
from papertables.specs.spec import SearchSpec
from tests.unit import artefact_world as world

SEEDS = (1, 2, 3)


def comparison(**told):
    return Claim(words="it is", place="table 1", holds_if=[{"artefact": "attrvr_table1"} | told]).holds_if[0]


def grid(values, apart=()):
    """By method and data set, a number for each seed; a single number is the same for every seed."""
    cells = {
        (method, name): {
            name: {
                seed: Sample(f"{name}/{method}/{seed}", (number,))
                for seed, number in (zip(SEEDS, own, strict=False) if isinstance(own, list) else [(None, own)])
            }
        }
        for (method, name), own in values.items()
    }
    rows, columns = ({key: f"the {key}" for key in dict.fromkeys(keys)} for keys in zip(*values, strict=True))
    return Grid(rows, columns, cells, apart)


def found(values, apart=(), world="", sizes=True, last=None, **told):
    grids = {"best": grid(values, apart), "last": grid(last or values, apart)}
    return findings(comparison(**told), Known("attrvr_table1", grids, world, sizes))


CLEAR = {("a", "x"): [60, 62, 61], ("a", "y"): [80, 81, 83], ("b", "x"): [50, 51, 52], ("b", "y"): [78, 79, 78]}


def test_above_tells_effect_interval_probability_and_runs():
    (one,) = found(CLEAR, kind="above", of="a", over=["b"])
    assert one.verdict == "holds"
    assert one.effect == pytest.approx((10 + 3) / 2, abs=0.2)
    assert 0 < one.interval[0] <= one.effect <= one.interval[1]
    assert (one.probability, one.seeds, len(one.runs)) == (1.0, 3, 12)
    assert one.sentence.startswith("the a is 6.5 points above the b on average over 2 data sets (95 % interval ")


def test_the_other_way_round_it_fails():
    (one,) = found(CLEAR, kind="above", of="b", over=["a"])
    assert one.verdict == "fails"
    assert "the b is 6.5 points below the a" in one.sentence


def test_an_interval_across_the_bound_cannot_be_told_and_says_how_many_seeds_would():
    mixed = {("a", "x"): [60, 50, 58], ("b", "x"): [55, 56, 54]}
    (one,) = found(mixed, kind="above", of="a", over=["b"])
    assert one.verdict == "cannot be told"
    assert one.needed > 3
    assert f"about {one.needed} seeds would tell" in one.sentence


def test_one_seed_cannot_tell():
    (one,) = found({key: own[:1] for key, own in CLEAR.items()}, kind="above", of="a", over=["b"])
    assert one.verdict == "cannot be told"
    assert "at least 2 are needed" in one.sentence


def test_what_draws_nothing_is_paired_with_every_seed():
    (one,) = found({("a", "x"): [60, 62, 61], ("b", "x"): 50}, kind="above", of="a", over=["b"])
    assert (one.verdict, one.seeds) == ("holds", 3)


def test_averages_leave_out_what_the_tables_do():
    values = CLEAR | {("a", "source"): [0, 0, 0], ("b", "source"): [99, 99, 99]}
    (one,) = found(values, apart=("source",), kind="above", of="a", over=["b"])
    assert one.verdict == "holds"


def test_a_margin_counts():
    assert [found(CLEAR, kind="above", of="a", over=["b"], by=by)[0].verdict for by in (5, 8)] == ["holds", "fails"]


def test_sets_are_counted():
    values = CLEAR | {("a", "z"): [10, 10, 11], ("b", "z"): [20, 21, 20]}
    (one,) = found(values, kind="sets", of="a", over=["b"])
    assert (one.verdict, one.effect) == ("holds", 2)
    assert found(values, kind="sets", of="a", over=["b"], least=3)[0].verdict == "fails"


def test_times_is_a_ratio():
    counts = {("a", "parameters"): 39_936, ("b", "parameters"): 69_840}
    assert found(counts, kind="times", of="a", over=["b"], at=["parameters"])[0].verdict == "holds"
    assert found(counts, kind="times", of="b", over=["a"], at=["parameters"])[0].verdict == "fails"


@pytest.mark.parametrize(
    ("told", "unit"),
    [
        ({"kind": "above", "of": "a", "over": ["b"]}, "points"),
        ({"kind": "sets", "of": "a", "over": ["b"]}, "data sets"),
        ({"kind": "times", "of": "a", "over": ["b"]}, "times as much"),
        ({"kind": "kept", "of": "a", "over": ["b"], "share": 0.9}, "of the gain"),
        ({"kind": "spread", "among": ["a", "b"], "at_most": 1}, "points"),
    ],
)
def test_an_effect_has_its_unit(told, unit):
    assert [each.unit for each in found(CLEAR, **told)] == [unit]


def test_an_effect_without_a_unit_says_what_it_is_of():
    tested = Known("attrvr_table1", {"best": grid({("a", "share (%)"): 0.2})}, unit="")
    told = comparison(kind="level", of="a", at=["share (%)"], at_most=1)
    assert [each.unit for each in findings(told, tested)] == ["the share (%)"]


@pytest.mark.parametrize("turned", [False, True])
def test_near_best_is_within_one_deviation_of_it(turned):
    values = {(key, "x"): own for key, own in (("4", [60, 62, 64]), ("8", [61, 61, 61]), ("16", [50, 51, 50]))}
    shown = grid(values).turned if turned else grid(values)
    told = {key: comparison(kind="near_best", of=key) for key in ("8", "16")}
    near, far = (findings(each, Known("attrvr_table1", {"last": shown}))[0] for each in told.values())
    assert near.effect == pytest.approx(-1)
    assert "whose deviation is 2.0" in near.sentence
    assert far.verdict == "fails"


def test_kept_is_the_share_of_a_gain_at_the_last_epoch():
    last = CLEAR | {("a", "x"): [55, 56, 57], ("a", "y"): [79, 80, 79]}  # gains of 5 and 1 where they were 10 and 3
    (one,) = found(CLEAR, last=last, kind="kept", of="a", over=["b"], share=0.9)
    assert one.verdict == "fails"
    assert one.effect == pytest.approx(3 / 6.5, abs=0.03)
    assert "at the epochs that are best on the test set" in one.sentence


def test_where_scales_do_not_compare_orderings_alone_are_told_and_say_so():
    where = {"world": "In the mini world, not of the paper: ", "sizes": False}
    (ordering,), (size,) = (found(CLEAR, **where, kind="above", of="a", over=["b"], by=by) for by in (0, 4))
    assert ordering.sentence.startswith("In the mini world, not of the paper: ")
    assert size.verdict == "not tested here"


def test_ranks_stand_beside_three_methods_on_three_sets():
    numbers = {"a": 3, "b": 2, "c": 1}
    values = {(key, name): [each, each + 0.1, each] for key, each in numbers.items() for name in "xyz"}
    for one in found(values, kind="above", of="a", over=["b", "c"]):
        assert one.ranks == {"the a": 1, "the b": 2, "the c": 3}
        assert one.critical_difference == pytest.approx(2.343 * (12 / 18) ** 0.5, abs=1e-3)


def test_what_the_scale_leaves_out_is_not_tested():
    (one,) = found(CLEAR, kind="above", of="a", over=["c"])
    assert (one.verdict, one.sentence) == ("not tested here", "attrvr_table1: there is no c here.")


def test_samples_of_runs_are_those_of_the_table():
    known = of_runs(world.planned(), world.metrics(), "best")
    assert {seed: each.values for seed, each in known.cells["vp", "dtd"]["DTD"].items()} == {1: (60.0,), 2: (62.0,)}
    assert known.cells["zero_shot", "dtd"]["DTD"][None].values == (40.0,)


def test_a_computed_table_has_no_spread(tmp_path):
    known = of_table(build(world.planned(), world.metrics(), world.published(tmp_path), {}))
    tested = Known("attrvr_table1", {"best": known}, unit="")
    told = comparison(kind="level", of="VP", at=["DTD"], at_most=61)
    assert [each.verdict for each in findings(told, tested)] == ["holds"]


def test_scatter_is_larger_where_classes_are_apart():
    labels = np.array([0, 0, 1, 1])
    near, apart = np.array([[0.0], [2], [1], [3]]), np.array([[0.0], [2], [11], [13]])
    assert scatter(near, labels) == pytest.approx(1 / 4)  # (4 · 0.5²) / (4 · 1²)
    assert scatter(apart, labels) == pytest.approx(5.5**2)


def test_a_search_settles_at_the_epoch_from_which_its_winner_leads():
    spec = SearchSpec(dataset="caltech101", backbone="clip_vit_b16", seed=1, bases=("a", "b"), epochs=3)
    weights = ((0.2, 0.5, 0.3), (0.5, 0.3, 0.2), (0.6, 0.3, 0.1))
    combinations = (("a",), ("b",), ("a", "b"))
    losses = {"train_loss": (1, 1, 1), "validation_loss": (1, 1, 1), "seconds": 1.0, "data": "d0", "backbone": "b0"}
    known = of_searches([SearchResult(spec=spec, combinations=combinations, weights=weights, **losses)])
    assert known.cells["lead", "caltech101"]["caltech101"][1].values == (2.0,)
    assert known.cells["margin", "caltech101"]["caltech101"][1].values == (pytest.approx(0.3),)
