"""The version of how results are kept."""

import json

import pytest

from papertables.base.errors import UserError
from papertables.results.format import FILE, FORMAT, check_format
from papertables.results.store import Store
from tests.unit.artefact_world import metrics_of, run


def test_a_store_says_its_format(tmp_path):
    runs = tmp_path / "runs"
    assert check_format(runs) is None  # nothing is there
    Store(runs).write(metrics_of(run("zero_shot", "dtd", None), 40.0, 40.0))
    assert check_format(runs) is None
    assert json.loads((runs / FILE).read_text()) == {"format": FORMAT}


def test_an_earlier_folder_is_read_and_told(tmp_path):
    spec = run("zero_shot", "dtd", None)
    Store(tmp_path).write(metrics_of(spec, 40.0, 40.0))
    (tmp_path / FILE).unlink()
    assert "written by an earlier papertables (format 1)" in check_format(tmp_path)
    assert Store(tmp_path).record(spec.id).evaluations[0].best.accuracy == 40.0


@pytest.mark.parametrize(
    ("text", "says"),
    [(f'{{"format": {FORMAT + 1}}}', "written by a later papertables"), ("{", "delete it and run again")],
)
def test_what_this_version_cannot_know(tmp_path, text, says):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(UserError, match=says):
        check_format(tmp_path)
