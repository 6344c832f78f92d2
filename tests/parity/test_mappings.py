"""Label mappings against those of the released BLM code; where it breaks, ours is sound or says why."""

import re

import pytest
import torch

from papertables.base.errors import UserError
from papertables.methods import mappings


@pytest.fixture
def case(golden):
    return golden("blm_matrices")


def batches(case, facts: dict):
    """Logits and labels of a case in as many batches as the released code was given."""
    name, parts = facts["case"], facts["batches"]
    logits, labels = case.tensors[f"{name}.logits"], case.tensors[f"{name}.labels"]
    return zip(logits.tensor_split(parts), labels.tensor_split(parts), strict=True)


def frequency(case, facts: dict):
    counts = torch.zeros(facts["S"], facts["T"])
    for logits, labels in batches(case, facts):
        mappings.add_frequency(counts, logits, labels)
    return counts


def topk_sums(case, facts: dict, k: int):
    sums = torch.zeros(facts["S"], facts["T"])
    for logits, labels in batches(case, facts):
        mappings.add_topk(sums, logits, labels, k)
    return sums


def test_one_to_one(case):
    for facts in case.facts["cases"]:
        name = facts["case"]
        counts = frequency(case, facts)
        assert (counts == case.tensors[f"{name}.freq"]).all()
        before = counts.clone()
        sequence = mappings.one_to_one(counts)
        assert (counts == before).all()  # the released greedy loop leaves -1 everywhere
        assert (sequence == case.tensors[f"{name}.one2one_sequence"]).all()
        expected = case.tensors[f"{name}.one2one_mapped"]
        assert (case.tensors[f"{name}.logits"][: len(expected), sequence] == expected).all()


def matrices(case):
    """Every Bayesian matrix of every case with the statistics that it is made of."""
    for facts in case.facts["cases"]:
        for matrix in facts["matrices"]:
            yield facts, matrix, topk_sums(case, facts, matrix["k"]) if "k" in matrix else frequency(case, facts)


def test_bayesian_matrices(case):
    """Of the classes for which the released matrix is defined."""
    for facts, matrix, statistics in matrices(case):
        weights = mappings.bayesian(statistics, matrix["lap"])
        released = case.tensors[matrix["tensor"]]
        sound = ~released.isnan().any(0)
        case.agrees(weights[:, sound], released[:, sound])
        if sound.any():
            mapped = case.tensors[f"{matrix['tensor']}.mapped"]
            logits = case.tensors[f"{facts['case']}.logits"][: len(mapped)]
            case.agrees((logits @ weights)[:, sound], mapped[:, sound])


def test_size_of_top_k(case):
    ratio = case.facts["topk_ratio_default"]
    for classes, k in case.facts["k_examples"].items():
        assert mappings.topk_size(int(classes), ratio) == max(1, k)


def test_where_the_released_matrix_is_undefined(case):
    """In the column of a class without sums, and all over where without Laplace smoothing a source label has none."""
    for _, matrix, statistics in matrices(case):
        never = (statistics.sum(1) == 0).any() & (matrix["lap"] == 0)
        released = case.tensors[matrix["tensor"]]
        assert torch.equal(released.isnan(), ((statistics.sum(0) == 0) | never).expand_as(released))


def test_a_source_label_never_among_the_top_k_without_laplace_smoothing(case):
    """Ours has a zero row, and is else that of the other labels alone. To each case comes one such label."""
    for facts in case.facts["cases"]:
        sums = torch.cat([topk_sums(case, facts, 1), torch.zeros(1, facts["T"])])
        never = sums.sum(1) == 0
        weights = mappings.bayesian(sums, 0)
        assert (weights[never] == 0).all()
        torch.testing.assert_close(weights[~never], mappings.bayesian(sums[~never], 0))
        torch.testing.assert_close(weights.sum(0), torch.ones(facts["T"]))


def test_an_absent_class(case):
    """The released code counts the classes that occur: an absent one in the middle costs it the last one."""
    quirks = case.facts["observed_quirks"]
    names = map(re.compile(r"(absent_class_(\d+)_of_(\d+))\.freq").fullmatch, quirks)
    name, absent, classes = next((found[1], int(found[2]), int(found[3])) for found in names if found)
    shown = torch.tensor(quirks[f"{name}.freq"]["values"], dtype=torch.float)  # (S, C - 1): all classes but the last
    labels = len(shown)
    assert shown.shape[1] == classes - 1 and (shown[:, absent] == 0).all()
    last = torch.arange(labels)  # some samples of the last class
    weights = mappings.bayesian(torch.cat([shown, last[:, None]], 1), 1)
    assert weights.shape == (labels, classes) and weights.isfinite().all()
    torch.testing.assert_close(weights[:, absent], torch.full((labels,), 1 / labels))
    # With only the samples that it did count, the columns of the classes that occur are its own.
    released = torch.tensor([[float(value) for value in row] for row in quirks[f"{name}.blm_lap1"]["values"]])
    assert released[:, absent].isnan().all()
    present = torch.arange(classes - 1) != absent
    torch.testing.assert_close(mappings.bayesian(shown, 1)[:, present], released[:, present])
    assert mappings.one_to_one(shown).tolist() == quirks[f"{name}.one2one"]["values"]


def test_more_classes_than_source_labels(case):
    """The released loop gives every source label away and then has none for the classes left; it returns what it has,
    with the first label once more or a class too few. Ours refuses."""
    released = case.facts["observed_quirks"]["T_gt_S.one2one"]["values"]
    labels = len(set(released))
    assert set(released) == set(range(labels)) and len(released) <= labels + 1
    with pytest.raises(UserError, match=f"{labels + 1} classes and {labels} source labels"):
        mappings.one_to_one(torch.ones(labels, labels + 1))
