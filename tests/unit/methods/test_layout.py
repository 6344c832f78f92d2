"""Layouts of prompts by themselves, with a vocabulary of letters: no tower, no weights."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from papertables.base.errors import UserError
from papertables.methods.layout import ATTRIBUTE, Learned, Word, layout, offset, place

START, END = 1000, 1001
ANCHORS = ("interval", "front", "middle", "end", "separate")
POSITIONS = ("end", "middle", "front")
letters = st.text("abcdef", min_size=1, max_size=4)
layouts = st.builds(
    lambda context, attributes, counts, position, anchors, words: layout(
        context, attributes, counts[: len(attributes)], position, anchors, words
    ),
    context=st.integers(1, 4),
    attributes=st.lists(letters, max_size=3, unique=True),
    counts=st.lists(st.integers(1, 3), min_size=3, max_size=3),
    position=st.sampled_from(POSITIONS),
    anchors=st.sampled_from(ANCHORS),
    words=st.sampled_from(["", "of a"]),
)
names = st.lists(letters, min_size=1, max_size=4, unique=True)


def encode(text: str) -> list[int]:
    """A token for every letter and for the full stop."""
    return [ord(letter) for letter in text if letter != " "]


def laid(parts, class_names, rule="all", room=200):
    return place(parts, class_names, encode, START, END, room, rule)


@pytest.mark.slow
@given(layouts, names, st.sampled_from(["first", "all"]))
def test_a_prompt_starts_and_ends_and_is_cut_behind_the_longest(parts, class_names, rule):
    placed = laid(parts, class_names, rule)
    assert (placed.tokens[:, 0] == START).all()
    assert placed.tokens.gather(1, placed.ends[:, None]).eq(END).all()
    assert placed.tokens.shape[1] == placed.ends.max() + 1
    for row, end in enumerate(placed.ends):
        assert not placed.tokens[row, end + 1 :].any()
        assert (placed.index[row, end:] == -1).all()


@pytest.mark.slow
@given(layouts, names)
def test_repaired_prompts_hold_every_vector_once_and_every_word_whole(parts, class_names):
    placed = laid(parts, class_names)
    anchored = [token for part in parts if getattr(part, "attribute", False) for token in encode(part.text)]
    for row, name in enumerate(class_names):
        index, tokens = placed.index[row], placed.tokens[row]
        assert sorted(index[index >= 0].tolist()) == list(range(sum(placed.lengths.values())))
        assert tokens[index == ATTRIBUTE].tolist() == anchored
        kept = tokens[1 : placed.ends[row]][index[1 : placed.ends[row]] == -1].tolist()
        fixed = sum(len(encode(part.text)) for part in parts if hasattr(part, "text")) - len(anchored)
        assert len(kept) == len(encode(name)) + fixed + 1  # and the full stop


@pytest.mark.slow
@given(layouts, names)
def test_released_prompts_hold_every_vector_once_too(parts, class_names):
    """Where they overwrite pieces of attribute words."""
    placed = laid(parts, class_names, "first")
    for index in placed.index:
        assert sorted(index[index >= 0].tolist()) == list(range(sum(placed.lengths.values())))


@pytest.mark.slow
@given(layouts, names)
def test_the_places_of_vectors_are_where_they_stand(parts, class_names):
    placed = laid(parts, class_names)
    for name, length in placed.lengths.items():
        found = placed.index.gather(1, placed.at(name))
        expected = list(range(offset(placed.lengths, name), offset(placed.lengths, name) + length))
        assert found.tolist() == [expected] * len(class_names)


@pytest.mark.slow
@given(layouts, names, st.sampled_from(["first", "all"]))
def test_other_classes_change_nothing_of_a_prompt(parts, class_names, rule):
    together = laid(parts, class_names, rule)
    for row, name in enumerate(class_names):
        alone, end = laid(parts, [name], rule), together.ends[row] + 1
        assert together.tokens[row, :end].equal(alone.tokens[0])
        assert together.index[row, :end].equal(alone.index[0])


@pytest.mark.slow
@given(st.lists(st.sampled_from("abcdef"), max_size=3, unique=True), st.sampled_from(ANCHORS), names)
def test_words_of_one_token_are_the_same_released_and_repaired(attributes, anchors, class_names):
    parts = layout(2, attributes, anchors=anchors)
    released, repaired = laid(parts, class_names, "first"), laid(parts, class_names, "all")
    assert released.tokens.equal(repaired.tokens)
    assert released.index.equal(repaired.index)


@pytest.mark.parametrize("anchors", ANCHORS)
@pytest.mark.parametrize("position", POSITIONS)
def test_without_attributes_anchors_change_nothing(anchors, position):
    assert layout(4, [], None, position, anchors) == layout(4, class_position=position)


@pytest.mark.parametrize(
    ("anchors", "order"),
    [
        ("interval", "1 a 2 b 3 c context class"),
        ("front", "a b c 1 2 3 context class"),
        ("middle", "1 2 a b c 3 context class"),
        ("end", "1 2 3 a b c context class"),
        ("separate", "1 a 2 b context class 3 c"),
    ],
)
def test_the_order_of_anchors(anchors, order):
    def short(part) -> str:
        match part:
            case Learned(name):
                return name.removeprefix("attribute")
            case Word(text):
                return text
        return "class"

    assert " ".join(map(short, layout(1, ["a", "b", "c"], anchors=anchors))) == order


def test_the_middle_of_an_odd_context_has_less_before_the_class():
    counts = [part.count for part in layout(5, class_position="middle") if isinstance(part, Learned)]
    assert counts == [2, 3]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"anchors": "left"}, "option anchors is 'left'"),
        ({"class_position": "left"}, "option class_position is 'left'"),
        ({"attributes": ["a", "b"], "attribute_context": [1]}, "2 attributes need as many"),
    ],
)
def test_layouts_that_cannot_be(wrong, message):
    with pytest.raises(UserError, match=message):
        layout(2, **wrong)


def test_a_prompt_fits_or_names_the_longest_class():
    parts, room = layout(2), len([START, "x", "x", *"abc", ".", END])
    assert laid(parts, ["a", "abc"], room=room).tokens.shape[1] == room
    with pytest.raises(UserError, match=f"class 'abc' has {room} tokens, the text tower takes {room - 1}"):
        laid(parts, ["a", "abc"], room=room - 1)
