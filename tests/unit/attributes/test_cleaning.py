"""What is kept of answers, and what is told of files of sentences."""

import pytest

from papertables.attributes.asking.language import is_english
from papertables.attributes.cleaning import apologises, cleaned, names, names_another, starts_in_the_middle, tidy

ANSWERS = {
    "cat": [
        "A small animal with soft fur",
        "A small animal with soft fur.",
        "too short",
        "and has long whiskers on its face",
        "I'm sorry, but I cannot describe this.",
        "It is smaller than a dog in most cases",
    ],
    "dog": ["A dog is an animal\n\nwith four legs"],
    "wild dog": ["Unlike a dog it lives in the wild"],
}


def test_published_cleaning_keeps_what_is_long_enough():
    kept, dropped = cleaned(ANSWERS, "published")
    assert len(kept["cat"]) == 5 and dropped["cat"] == {"under 20 characters": 1}
    assert kept["dog"] == ["A dog is an animal with four legs."]


def test_strict_cleaning_also_drops_what_is_there_by_mistake():
    kept, dropped = cleaned(ANSWERS, "strict")
    assert kept == {
        "cat": ["A small animal with soft fur."],
        "dog": ["A dog is an animal with four legs."],
        "wild dog": ["Unlike a dog it lives in the wild."],  # which is part of its own name
    }
    assert dropped["cat"] == {
        "twice": 1,
        "under 20 characters": 1,
        "starts in the middle": 1,
        "apologies": 1,
        "another class's name": 1,
    }


@pytest.mark.parametrize(("text", "made"), [("", ""), ("\n \n", ""), ("A cat", "A cat."), ("A cat?", "A cat?")])
def test_tidy(text, made):
    assert tidy(text) == made


def test_apologies_and_beginnings():
    assert apologises("I’m sorry, I can't do that") and apologises("As an AI language model, I")
    assert not apologises("It is a sorry sight") and not apologises("I can see a cat")
    assert starts_in_the_middle("and so on") and starts_in_the_middle(", a cat")
    assert not starts_in_the_middle("A cat") and not starts_in_the_middle('"Cat" is')


def test_names():
    assert names("A Red Spot on it", "red_spot") and names("many cats", "cat")
    assert not names("a catalogue", "cat")
    assert names_another("a dog", "cat", ["dog"]) and not names_another("a dog", "wild dog", ["dog", "wild dog"])


@pytest.mark.parametrize(
    "text",
    [
        "Eine Katze ist ein kleines Tier mit weichem Fell",
        "Un chat est un petit animal avec une fourrure et des yeux",
        "猫は柔らかい毛を持つ小さな動物です",
        "Это небольшое животное",
    ],
)
def test_other_languages(text):
    assert not is_english(text)


@pytest.mark.parametrize("text", ["A cat is a small animal with soft fur", "red round sign", "An élite café racer"])
def test_english(text):
    assert is_english(text)
