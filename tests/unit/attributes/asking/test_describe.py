"""Sentences from a server on this machine: what it is asked, what is kept, and what its faults end in."""

import base64
import hashlib
import io
import json
import os

import pytest
from PIL import Image

from papertables.base.errors import UserError
from tests.language_model import MODEL
from tests.unit.attributes.asking.conftest import N
from tests.unit.small_world import CLASSES

KEY = "sk-a-secret-of-mine-0123456789"


@pytest.mark.slow
def test_every_class_has_its_sentences_by_the_published_prompts(world):
    found = world.describe()
    assert list(found) == list(CLASSES)
    assert all(len(texts) == N and all(text.endswith(".") for text in texts) for texts in found.values())
    prompts = {each["messages"][-1]["content"] for each in world.server.requests}
    assert prompts == {f"Describe the appearance of the spot {name.replace('_', ' ')}" for name in CLASSES}
    (body, *_) = world.server.requests
    sent = {key: body[key] for key in ("model", "n", "temperature", "max_tokens", "stop", "seed")}
    assert sent == {"model": MODEL, "n": N, "temperature": 0.99, "max_tokens": 50, "stop": ["."], "seed": 0}
    world.describe("dist")
    assert "the unique appearance of a red spot from the other spot" in str(world.server.requests)


@pytest.mark.slow
@pytest.mark.parametrize("keys", [{}, {"stream": True}, {"interface": "completions"}, {"sentences": {"n": 1}}])
def test_a_second_run_asks_nothing(world, keys):
    keys |= {"at_least": 1}
    first = world.describe(**keys)
    assert world.sent() > 0
    world.file("des").unlink()
    assert world.describe(**keys) == first
    assert world.sent() == 0


@pytest.mark.slow
def test_the_ways_of_asking_say_the_same(world):
    assert world.describe() == world.describe(stream=True)
    world.sent()
    found = world.describe(interface="completions")
    assert {each["path"] for each in world.server.requests} == {"/v1/completions"}
    assert all(len(texts) == N for texts in found.values())


@pytest.mark.slow
def test_a_changed_prompt_or_a_new_class_asks_for_what_changed(world):
    world.describe()
    world.sent()
    split = json.loads((world.folder / "split.json").read_text())
    split["train"].append([split["train"][0][0], 3, "new spot"])
    (world.folder / "split.json").write_text(json.dumps(split))
    assert list(world.describe()) == [*CLASSES, "new spot"]
    assert world.sent() == 1
    world.describe(prompts={"des": "What does a {class} look like"})
    assert world.sent() == 4
    world.describe(cleaning="strict", title="another", concurrency=1, max_requests=1000)  # which changes no answer
    assert world.sent() == 0


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["refuses_n", "choices"])
def test_a_server_without_n_is_asked_for_single_answers_with_other_seeds(world, fault):
    setattr(world.server, fault, 1)
    found = world.describe()
    assert all(len(set(texts)) == N for texts in found.values())
    singles = [each for each in world.server.requests if each.get("n", 1) == 1]
    assert {each["seed"] for each in singles} == set(range(N))
    assert sum(each.get("n", 1) > 1 for each in world.server.requests) == 1
    assert world.record()["single_requests"]
    world.sent()
    assert world.describe() == found
    assert world.sent() == 0


def test_fewer_choices_are_asked_for_again(world):
    world.server.faults = ["few"]
    assert all(len(texts) == N for texts in world.describe().values())
    assert sorted(each["n"] for each in world.server.requests) == [2, N, N, N]
    assert world.record()["asked_again"] == {"not given": 2}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("refusal", "refusals"),
        ("filter", "refusals"),
        ("empty", "empty"),
        ("length", "cut by the length limit"),
        ("German", "in another language"),
    ],
)
def test_what_does_not_do_is_asked_for_again_and_told_where_it_stays(world, fault, says):
    world.server.faults = [fault]
    found = world.describe()
    assert all(len(texts) == N for texts in found.values())
    assert world.record()["asked_again"] == {says: N}
    world.server.always = fault
    with pytest.raises(UserError) as error:
        world.describe("dist")
    assert f"own, small dist: 3 classes have fewer than {N} sentences after asking 3 times more" in str(error.value)
    assert f"'red_spot' 0 ({4 * N} {says})" in str(error.value)
    assert not world.file("dist").exists() and not list(world.folder.glob("*dist*"))
    world.sent()
    world.server.always = None
    with pytest.raises(UserError):
        world.describe("dist")  # of the same answers
    assert world.sent() == 0
    assert world.describe("dist", attempts=4)["red_spot"]
    assert world.sent() == 3


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["busy", "broken", "malformed", "other", "cut", "cut_stream"])
def test_a_server_in_trouble_is_asked_again(world, fault):
    undisturbed = world.describe("des", stream=fault == "cut_stream")
    for file in world.answers.glob("*.json"):
        file.unlink()
    world.server.faults = [fault]
    assert world.describe("des", stream=fault == "cut_stream") == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("busy", "busy (after 2 attempts): run again later"),
        ("broken", "broken (after 2 attempts): run again later"),
        ("malformed", "3 answers in a row were broken"),
        ("other", "3 answers in a row were broken"),
        ("cut", "no answer after 2 attempts"),
        ("cut_stream", "3 answers in a row were broken"),
        ("leak", "does not understand the request: Error code: 400 - do not send Bearer [key]: change it"),
    ],
)
def test_a_server_that_stays_in_trouble(world, monkeypatch, capsys, fault, says):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    world.server.always = fault
    with pytest.raises(UserError) as error:
        world.describe(stream=fault == "cut_stream")
    assert says in str(error.value) and len(str(error.value).splitlines()) == 1
    assert not world.file("des").exists()
    assert f"Bearer {KEY}" in world.server.keys
    printed = capsys.readouterr()
    assert KEY not in str(error.value) + printed.out + printed.err
    assert_nowhere(world.folder)


def assert_nowhere(folder):
    for file in folder.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes(), file


def test_the_key_is_in_no_file_and_no_error(world, monkeypatch, capsys):
    world.server.key = KEY
    with pytest.raises(UserError, match="asks for a key: put it into OPENAI_API_KEY"):
        world.describe()
    monkeypatch.setenv("OPENAI_API_KEY", KEY + "x")
    with pytest.raises(UserError, match="refuses the key in OPENAI_API_KEY") as error:
        world.describe()
    assert KEY not in str(error.value)
    monkeypatch.setenv("MINE", KEY)
    world.server.says = {"Describe": f"It says {KEY} on it, in large letters"}
    world.describe(key_variable="MINE")
    printed = capsys.readouterr()
    assert KEY not in printed.out + printed.err
    assert_nowhere(world.folder)


def test_a_model_that_is_not_there(world):
    with pytest.raises(UserError) as error:
        world.describe(model="tiny-modle")
    assert f"knows no model 'tiny-modle' (did you mean '{MODEL}'?); it has {MODEL}" in str(error.value)
    with pytest.raises(UserError, match="source own names no model: add it in src/"):
        world.describe(model=None)


@pytest.mark.slow
def test_a_server_that_is_not_there(world):
    with pytest.raises(UserError, match=r"no answer after 2 attempts \(.*refused.*\): start the server"):
        world.describe(base_url="http://127.0.0.1:9/v1")


@pytest.mark.parametrize(
    ("keys", "allowed"),
    [
        ({"max_requests": 2}, 2),
        ({"max_tokens": 300}, 2),
        ({"max_cost": 0.27, "price": {"input": 0, "output": 1000}}, 2),
    ],
)
def test_ceilings(world, keys, allowed):
    with pytest.raises(UserError) as error:
        world.describe(concurrency=1, **keys)
    (name, most), *_ = keys.items()
    assert f"own: {name} is {most:g}, and one request more may pass it ({allowed} requests, " in str(error.value)
    assert world.sent() == allowed
    assert len(world.describe()) == len(CLASSES)
    assert world.sent() == len(CLASSES) - allowed


def test_a_server_that_is_too_slow(world):
    world.server.delay = 0.5
    with pytest.raises(UserError, match=r"no answer after 1 attempts \(.*tim"):
        world.describe(timeout=0.1, retries=0)


@pytest.mark.slow
def test_many_are_asked_at_a_time_up_to_a_limit(world):
    world.server.delay = 0.05
    world.server.choices = 1
    world.describe(concurrency=2)
    assert world.server.most_open == 2


def test_images_go_with_the_prompt(world):
    world.describe(images={"per_class": 2, "side": 32})
    (text, *images) = world.server.requests[0]["messages"][-1]["content"]
    assert text["type"] == "text" and len(images) == 2
    head, _, data = images[0]["image_url"]["url"].partition(",")
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert head == "data:image/jpeg;base64" and max(image.size) == 32
    world.sent()
    world.describe(images={"per_class": 2, "side": 32})
    assert world.sent() == 0
    stored = [json.loads(file.read_text()) for file in world.answers.glob("*.json")]
    assert all(len(each["request"]["images"]) == 2 for each in stored) and "base64" not in str(stored)
    split = json.loads((world.folder / "split.json").read_text())
    for path, label, _ in split["train"]:
        if label == 0:
            Image.new("RGB", (40, 40)).save(world.folder / path)
    world.describe(images={"per_class": 2, "side": 32})
    assert world.sent() == 1


def test_the_record(world):
    world.describe()
    record = world.record()
    assert record["sha256"] == hashlib.sha256(world.file("des").read_bytes()).hexdigest()
    assert record["models"] == [f"{MODEL}-2"] and record["address"] == world.server.url
    assert record["requests"] == len(CLASSES) and record["tokens"] == {"in": 30, "out": 30 * N}
    assert record["prompt"] == "Describe the appearance of the spot red spot" and record["cleaning"] == "published"


def test_an_answer_that_was_edited_is_told(world):
    world.describe()
    file = next(world.answers.glob("*.json"))
    file.write_text("{}")
    with pytest.raises(UserError, match="no stored answer: delete it to ask again"):
        world.describe()
    os.unlink(file)
    world.sent()
    world.describe()
    assert world.sent() == 1
