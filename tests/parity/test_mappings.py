"""Label mappings against those of the released BLM code; where it breaks, ours is sound or says why."""

import pytest
import torch

from papertables.errors import UserError
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
        sequence = mappings.one_to_one(counts)
        assert (sequence == case.tensors[f"{name}.one2one_sequence"]).all()
        mapped = case.tensors[f"{name}.logits"][:8, sequence]
        assert (mapped == case.tensors[f"{name}.one2one_mapped"]).all()


def test_bayesian_matrices(case):
    found = 0
    for facts in case.facts["cases"]:
        logits = case.tensors[f"{facts['case']}.logits"][:8]
        for matrix in facts["matrices"]:
            if matrix.get("has_nan"):
                continue
            statistics = topk_sums(case, facts, matrix["k"]) if "k" in matrix else frequency(case, facts)
            weights = mappings.bayesian(statistics, matrix["lap"])
            case.agrees(weights, matrix["tensor"])
            case.agrees(logits @ weights, f"{matrix['tensor']}.mapped")
            found += 1
    assert found


def test_size_of_top_k(case):
    ratio = case.facts["topk_ratio_default"]
    for classes, k in case.facts["k_examples"].items():
        assert mappings.topk_size(int(classes), ratio) == max(1, k)


def test_a_source_label_never_among_the_top_k_without_laplace_smoothing(case):
    """The released matrix is NaN all over; ours has a zero row, and is else that of the other labels alone."""
    cases = [(facts, matrix) for facts in case.facts["cases"] for matrix in facts["matrices"] if matrix.get("has_nan")]
    assert cases
    for facts, matrix in cases:
        assert case.tensors[matrix["tensor"]].isnan().all()
        sums = topk_sums(case, facts, matrix["k"])
        never = sums.sum(1) == 0
        assert never.any()
        weights = mappings.bayesian(sums, matrix["lap"])
        assert (weights[never] == 0).all()
        torch.testing.assert_close(weights[~never], mappings.bayesian(sums[~never], matrix["lap"]))
        torch.testing.assert_close(weights.sum(0), torch.ones(facts["T"]))


def test_an_absent_class(case):
    """The released code counts the classes that occur: an absent one in the middle costs it the last one."""
    quirks = case.facts["observed_quirks"]
    shown = torch.tensor(quirks["absent_class_1_of_4.freq"]["values"], dtype=torch.float)  # (S, 3): 0, 1 (absent), 2
    assert shown.shape[1] == 3 and (shown[:, 1] == 0).all()
    last = torch.tensor([0.0, 0, 1, 0, 1])  # some samples of class 3
    weights = mappings.bayesian(torch.cat([shown, last[:, None]], 1), 1)
    assert weights.shape == (5, 4) and weights.isfinite().all()
    torch.testing.assert_close(weights[:, 1], torch.full((5,), 1 / 5))
    # With only the samples that it did count, the columns of the classes that occur are its own.
    released = quirks["absent_class_1_of_4.blm_lap1"]["values"]
    ours = mappings.bayesian(shown, 1)
    for row, expected in zip(ours, released, strict=True):
        assert expected[1] == "nan"
        assert row[[0, 2]].tolist() == pytest.approx([expected[0], expected[2]])
    assert mappings.one_to_one(shown).tolist() == quirks["absent_class_1_of_4.one2one"]["values"]


def test_more_classes_than_source_labels(case):
    assert case.facts["observed_quirks"]["T_gt_S.one2one"]["result_shape"] == [3]
    with pytest.raises(UserError, match="3 classes and 2 source labels"):
        mappings.one_to_one(torch.ones(2, 3))


def test_counts_are_not_changed(case):
    """The released greedy loop leaves -1 everywhere."""
    assert case.facts["observed_quirks"]["greedy_mapping_mutates_its_argument"]
    counts = frequency(case, case.facts["cases"][0])
    before = counts.clone()
    mappings.one_to_one(counts)
    assert (counts == before).all()
