"""Attribute bases from a server on this machine: two steps, five nouns, and their tokens."""

import pytest

from papertables.attributes.asking.name_bases import parse
from papertables.attributes.bases import problem, read_bases
from papertables.base.errors import UserError
from tests.unit.small_world import CLASSES

WORDS = ["shape", "colour", "texture", "size", "outline"]


@pytest.mark.slow
def test_two_steps(world):
    assert world.bases() == {"bases": WORDS, "tokens": dict.fromkeys(WORDS, 1)}
    first, second = (each["messages"] for each in world.server.requests)
    assert "classes of images, each of one spot: red spot, green spot, blue spot" in first[0]["content"]
    assert [each["role"] for each in second] == ["user", "assistant", "user"]
    assert read_bases(world.file("bases")) == tuple(WORDS)
    world.sent()
    world.bases()
    assert world.sent() == 0


@pytest.mark.slow
def test_words_of_several_tokens_are_counted(world):
    world.server.says = {"five attributes": "playfulness, watercourse, technique, shape, size"}
    assert world.bases()["tokens"] == {"playfulness": 2, "watercourse": 2, "technique": 3, "shape": 1, "size": 1}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("shape, colour, size", "3 words where 5 are needed"),
        ("shape, colour, shape, size, outline", "'shape' stands twice"),
        ("shape, colour, line width, size, outline", "'line width' is no single word"),
        ("shape, colour, spot, size, outline", "'spot' is part of the class name 'red_spot'"),
    ],
)
def test_what_are_no_bases_is_asked_for_again_with_the_reason(world, answer, reason):
    world.server.says = {"five attributes": answer}
    assert world.bases()["bases"] == WORDS
    assert world.server.requests[-1]["messages"][-1]["content"].startswith(f"That does not do: {reason}. Answer with")
    assert world.record("bases")["asked_again"] == 1
    world.server.says = {"five": answer}
    with pytest.raises(UserError, match=f"no five single words after asking 3 times more .*{reason}"):
        world.bases(seed=1)


@pytest.mark.parametrize(
    "answer",
    [
        "shape, colour, texture, size, outline",
        "Shape, Colour, Texture, Size, and Outline.",
        "1. Shape\n2. Colour\n3. Texture\n4. Size\n5. Outline",
        "Here are five attributes:\n- **shape**\n- **colour**\n- **texture**\n- **size**\n- **outline**",
        "The five words: shape, colour, texture, size, outline",
        "shape; colour; texture; size; outline\n",
    ],
)
def test_lists_of_many_looks_are_read(answer):
    assert parse(answer) == WORDS


def test_what_bases_are():
    assert problem(WORDS, CLASSES) is None
    assert problem(["colour"] * 5, ()) == "'colour' stands twice"
    assert problem([*WORDS[:4], "été"], ()) == "'été' is no single word"
