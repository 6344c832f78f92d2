"""Split files, few-shot draws and random streams."""

import json
from collections import Counter
from random import Random

import pytest

from papertables.base.errors import UserError
from papertables.data.splits import (
    Split,
    attribute_stream,
    cut,
    few_shot,
    read_and_split,
    read_split,
    search_items,
    training_indices,
    validated,
)
from papertables.specs.spec import SearchSpec
from tests.unit.small_world import spec

ENTRIES = [[f"{name}{number}.png", label, name] for label, name in enumerate("ab") for number in range(9 - 3 * label)]


def write(path, **parts):
    path.write_text(json.dumps({"train": ENTRIES, "val": [], "test": ENTRIES} | parts))
    return path


@pytest.fixture
def split(tmp_path) -> Split:
    return read_split(write(tmp_path / "split.json"))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"train": [["a.png", "0", "a"]]}, "an entry is"),
        ({"train": []}, "the train part is empty"),
        ({"test": None}, "holds the lists"),
        ({"test": [["a.png", 0, "b"]]}, "label 0 is both 'a' and 'b'"),
        ({"test": [["a.png", 3, "d"]]}, "2 is missing"),
    ],
)
def test_a_wrong_split_file(tmp_path, parts, message):
    with pytest.raises(UserError, match=message):
        read_split(write(tmp_path / "split.json", **parts))


def test_a_split_file_that_is_not_there_or_not_json(tmp_path):
    with pytest.raises(UserError, match="no such"):
        read_split(tmp_path / "split.json")
    (tmp_path / "split.json").write_text("{")
    with pytest.raises(UserError, match="not a JSON"):
        read_split(tmp_path / "split.json")


def test_shots_larger_than_a_class(split):
    counts = Counter(split.train[index].name for index in training_indices(split, spec("vp", 1, shots=7)))
    assert counts == {"a": 7, "b": 6}


SEARCH = SearchSpec(dataset="small", backbone="mini-vit", seed=2, bases=("color",), shots=4)


def searched(split, rule):
    """The paths that a search trains and validates on."""
    search = SEARCH.model_copy(update={"validation_images": rule, "validation_batch": 5})
    train, validation = search_items(split, search)
    items = getattr(validated(split), search.validation_part)
    return [split.train[index].path for index in train], [items[index].path for index in validation]


@pytest.fixture
def four(tmp_path):
    """Four classes, of which two are base, without validation images."""
    entries = {
        part: [[f"{part}/{name}{n}.png", label, name] for label, name in enumerate("abcd") for n in range(count)]
        for part, count in (("train", 9), ("test", 6))
    }
    return read_split(write(tmp_path / "split.json", **entries))


def test_a_search_without_validation_images_takes_the_first_test_images_some_of_each_or_half_of_the_shots(four):
    shots, _ = few_shot(validated(four), 4, Random(2))
    drawn = [four.train[index].path for index in shots]
    train, validation = searched(four, "test_first")
    assert train == drawn[:8] and {path[6] for path in train} == {"a", "b"}
    assert validation == [f"test/a{number}.png" for number in range(5)]  # as many as a batch holds
    train, validation = searched(four, "test_sampled")
    assert train == drawn[:8]
    assert Counter(path[:6] for path in validation) == {"test/a": 4, "test/b": 4}
    train, validation = searched(four, "half_of_shots")
    assert train == drawn[:2] + drawn[4:6]
    assert validation == drawn[2:4] + drawn[6:8]


def test_a_search_with_validation_images_draws_four_of_each(four):
    own = Split(four.train, four.test, four.test)
    train, validation = searched(own, None)
    assert (train, validation) == searched(four, "test_sampled")
    assert SEARCH.validation_part == "val"


def test_of_odd_shots_the_first_half_has_one_more(four):
    search = SEARCH.model_copy(update={"validation_images": "half_of_shots", "shots": 5})
    assert list(map(len, search_items(four, search))) == [6, 4]


def fidelity(run, **switches):
    return run.model_copy(update={"fidelity": run.fidelity.model_copy(update=switches)})


def test_streams_of_sentences(split):
    """As released: the seed that draws the images samples after the draw, the others from a fresh stream."""
    drawing, other = spec("attrvr", 1), spec("attrvr", 2)
    after = Random(1)
    few_shot(split, drawing.shots, after)
    assert attribute_stream(drawing, split).random() == after.random()
    assert attribute_stream(other, split).random() == Random(2).random()
    each = fidelity(other, few_shot_draw="per_seed")
    after = Random(2)
    few_shot(split, other.shots, after)
    assert attribute_stream(each, split).random() == after.random()
    assert attribute_stream(spec("attr_zs", 1), split).random() == Random(1).random()


def test_a_private_stream_depends_on_the_seed_alone(split):
    first, other = (fidelity(spec("attrvr", seed), attribute_stream="private") for seed in (1, 2))
    per_seed = fidelity(first, few_shot_draw="per_seed")
    draws = [attribute_stream(run, split).random() for run in (first, per_seed, other)]
    assert draws[0] == draws[1] != draws[2]


def test_a_folder_per_class_in_any_order_of_listing(tmp_path):
    for name in ("late", "early"):
        (tmp_path / name).mkdir()
        for number in range(10):
            (tmp_path / name / f"{number}.png").touch()
    parts = read_and_split(tmp_path, 1)
    assert {part: len(items) for part, items in parts.items()} == {"train": 10, "val": 4, "test": 6}
    assert {item.name: item.label for item in parts["train"]} == {"early": 0, "late": 1}
    assert parts == read_and_split(tmp_path, 1) != read_and_split(tmp_path, 2)


LISTING = {name: [f"{number}.png" for number in range(10)] for name in ("b_late", "Junk", ".hidden", "a_early")}


def test_folders_left_out_draw_nothing():
    left = {name: files for name, files in LISTING.items() if name != "Junk"}
    assert cut(LISTING, Random(1), ignored=["Junk", "not there"]) == cut(left, Random(1)) != cut(LISTING, Random(1))
    assert cut(LISTING | {"Junk": ["only.png"]}, Random(1), ignored={"Junk"}) == cut(left, Random(1))


def test_renamed_classes_keep_their_place_and_paths():
    plain = cut(LISTING, Random(1))
    names = {"a_early": "z", "Junk": "m", "not there": "x"}
    renamed = cut(LISTING, Random(1), new_names=names)
    assert renamed == {
        part: [item._replace(name=names.get(item.name, item.name)) for item in items] for part, items in plain.items()
    }
    assert {item.name: item.label for item in renamed["test"]} == {"m": 0, "z": 1, "b_late": 2}


def test_folders_left_out_and_renamed_on_the_disk(tmp_path):
    for name, files in LISTING.items():
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).touch()
    options = {"ignored": ["Junk"], "new_names": {"b_late": "late"}}
    parts = read_and_split(tmp_path, 3, **options)
    assert parts == cut(LISTING, Random(3), **options)
    assert {item.path.split("/")[0]: item.name for item in parts["val"]} == {"a_early": "a_early", "b_late": "late"}
