"""All that is lacking of data sets is said in one error, before anything starts."""

import json
from pathlib import Path

import pytest

from papertables.attributes.catalog import language_models
from papertables.base.errors import UserError
from papertables.planning.cells import Needed
from papertables.planning.lacking import check_there
from papertables.planning.paths import Paths
from tests.unit.data.test_own import declare, draw  # noqa: F401


def check(root: Path, *needed: Needed, **own) -> None:
    models = language_models() | {"own": language_models()["own"].model_copy(update=own)}
    check_there(Paths(root, "mini", "data"), models, needed)


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
    (tmp_path / "attributes" / "own").mkdir(parents=True)
    (tmp_path / "attributes" / "own" / "leaves_des.json").write_text(json.dumps({}))
    with pytest.raises(UserError, match=r"write attributes/own/leaves_dist.json \("):
        check(tmp_path, *needed)
    (tmp_path / "attributes" / "own" / "leaves_dist.json").write_text(json.dumps({}))
    check(tmp_path, *needed)


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
