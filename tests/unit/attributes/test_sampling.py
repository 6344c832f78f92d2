"""Sentences by class: read, drawn, refused."""

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from papertables.attributes.sampling import Sentences, read_sentences, sample
from papertables.base.errors import UserError

SENTENCES = Sentences(
    {
        "a": [f"This is sentence number {number}." for number in range(4)],
        "b": ["too short", "long enough to keep it"],
        "cc": ["short"],
    },
    Path("x_des.json"),
)


@pytest.mark.parametrize("m", [3, 4, 6])
def test_distinct_sentences_first(m):
    (chosen,) = sample(SENTENCES, ["a"], m, Random(0), "distinct")
    assert len(set(chosen[:4])) == min(m, 4)
    assert max(Counter(chosen).values()) == (1 if m <= 4 else 2)


def test_released_rule_repeats_as_soon_as_no_more_than_m_are_there():
    draws = [sample(SENTENCES, ["a"], 4, Random(seed), "replacement")[0] for seed in range(5)]
    assert any(len(set(chosen)) < 4 for chosen in draws)
    assert all(len(set(sample(SENTENCES, ["a"], 3, Random(seed), "replacement")[0])) == 3 for seed in range(5))


def test_short_sentences_are_dropped_and_must_not_be_all():
    assert sample(SENTENCES, ["b"], 2, Random(0), "distinct") == [["long enough to keep it"] * 2]
    with pytest.raises(UserError, match=r"^x_des\.json: class 'c' has no entry \(did you mean 'cc'\?\)"):
        sample(SENTENCES, ["c"], 2, Random(0), "distinct")
    with pytest.raises(UserError, match=r"^x_des\.json: class 'cc' has no sentence of 20"):
        sample(SENTENCES, ["cc"], 2, Random(0), "replacement")


@pytest.mark.parametrize("content", ["[", "[]", '{"a": "text"}', '{"a": [1]}'])
def test_a_wrong_file_of_sentences(tmp_path, content):
    path = tmp_path / "x_des.json"
    path.write_text(content)
    with pytest.raises(UserError, match=r"x_des\.json"):
        read_sentences(path)
