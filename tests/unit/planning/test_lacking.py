"""All that is lacking of data sets is said in one error, before anything starts."""

import json
import shutil
from pathlib import Path

import pytest

from papertables.attributes.catalog import language_models
from papertables.base.errors import UserError
from papertables.planning.cells import Needed
from papertables.planning.lacking import check_there
from papertables.planning.paths import Paths
from papertables.planning.plan import make_plan
from papertables.planning.report import text
from tests.unit.data.test_own import CLASSES, declare, draw  # noqa: F401
from tests.unit.plans import CONFIG, REPOSITORY


def check(root: Path, *needed: Needed, **own) -> None:
    models = language_models() | {"own": language_models()["own"].model_copy(update=own)}
    check_there(Paths(root, "mini", "data"), models, needed)


def write_sentences(root: Path, kind: str, content: object, name: str = "leaves") -> None:
    folder = root / "attributes" / "own"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}_{kind}.json").write_text(content if isinstance(content, str) else json.dumps(content))


def test_one_error_names_all_that_a_set_of_ones_own_lacks(declare, tmp_path):  # noqa: F811
    declare()
    with pytest.raises(UserError) as raised:
        check(tmp_path, Needed("leaves"), Needed("leaves", "own"), Needed("leaves", anchors=True))
    (line,) = str(raised.value).splitlines()
    assert line.count("there is no folder images") == 1
    assert "write attributes/own/leaves_des.json and attributes/own/leaves_dist.json" in line
    assert "add 'anchors' to workflow/datasets/leaves.yaml" in line


def test_what_it_says_mends_it(declare, tmp_path):  # noqa: F811
    draw(tmp_path / "images", 10)
    declare("anchors: [shape]")
    needed = (Needed("leaves", "own"), Needed("leaves", anchors=True))
    write_sentences(tmp_path, "des", {name: [f"A leaf of the tree {name}."] for name in CLASSES})
    with pytest.raises(UserError, match=r"write attributes/own/leaves_dist.json \("):
        check(tmp_path, *needed)
    write_sentences(tmp_path, "dist", {name: [f"No other leaf is like one of {name}."] for name in CLASSES})
    check(tmp_path, *needed)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ('{"oak": [', "own/leaves_des.json: not a JSON file"),
        ({"oak": ["A leaf with round lobes."]}, "own/leaves_des.json: class 'ginkgo' has no entry"),
        ({"oak": ["A leaf with round lobes."], "ginkgo": []}, "'ginkgo' has no sentence of 20 characters or more: add"),
        ({name: ["A leaf with round lobes."] for name in (*CLASSES, "elm")}, "'elm' is no class of this data set"),
    ],
)
def test_sentences_that_cannot_be_used_are_said_before_anything_starts(declare, tmp_path, written, says):  # noqa: F811
    draw(tmp_path / "images", 10)
    declare()
    for kind in ("des", "dist"):
        write_sentences(tmp_path, kind, written)
    with pytest.raises(UserError) as raised:
        check(tmp_path, Needed("leaves", "own"))
    (line,) = str(raised.value).splitlines()
    assert says in line and "leaves_dist.json" in line


def test_sentences_of_a_set_of_the_catalog_are_read_as_far_as_its_classes_are_known(tmp_path):
    write_sentences(tmp_path, "des", {"any": ["A sentence that is long."]}, "dtd")
    write_sentences(tmp_path, "dist", {"any": ["too short"]}, "dtd")
    with pytest.raises(UserError, match=r"^\S*dtd_dist.json: class 'any' has no sentence of 20 characters"):
        check(tmp_path, Needed("dtd", "own"))


@pytest.mark.slow
def test_sentences_that_are_left_out_are_said_with_the_plan(tmp_path):
    for part in ("workflow", "attributes"):
        shutil.copytree(REPOSITORY / part, tmp_path / part)
    shutil.copytree(tmp_path / "attributes" / "mini", tmp_path / "attributes" / "own", dirs_exist_ok=True)
    write_sentences(tmp_path, "des", {"zero": ["A digit that is round.", "round"]}, "mini_digits")
    plan = make_plan(tmp_path, CONFIG | {"sentences": "own"})
    said = "own/mini_digits_des.json: 1 of 2 sentences have fewer than 20 characters and are left out, as in"
    assert said in text(plan, ["attrvr_table1"])
    assert "fewer than 20" not in text(plan, ["blm_padding"])


def test_a_language_model_may_be_asked_instead(declare, tmp_path):  # noqa: F811
    draw(tmp_path / "images", 10)
    declare()
    check(tmp_path, Needed("leaves", "own"), model="llama3.2")


def test_a_source_without_sentences_of_a_set_is_said_before_anything_runs(tmp_path):
    with pytest.raises(UserError, match=r"mini_kinds: it has no sentences: write attributes/mini/mini_kinds_des.json"):
        check(tmp_path, Needed("mini_kinds", "mini"))
    with pytest.raises(UserError, match=r"source 'gpt3' has no sentences for 'svhn': .*: name another"):
        check(tmp_path, Needed("svhn", "gpt3"))
    check(tmp_path, Needed("dtd", "gpt3"), Needed("svhn"))
