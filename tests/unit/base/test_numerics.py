"""Nobody changes the code that all runs pass through without saying whether results change."""

import subprocess
import sys

import pytest

from papertables import NUMERICS
from papertables.base import code, numerics
from papertables.base.files import read_yaml

MEND = (
    "if results change, raise NUMERICS in src/papertables/__init__.py; in either case run "
    "python -m papertables.base.numerics 'what changed, and why results do or do not'"
)


@pytest.mark.slow
def test_the_shared_code_is_as_recorded():
    changed = numerics.changed()
    assert not changed, f"{', '.join(changed)} changed, which all runs pass through: {MEND}"


def test_the_version_is_the_recorded_one():
    recorded = read_yaml(numerics.RECORD)
    assert recorded["version"] == recorded["said"][-1]["version"] == NUMERICS, MEND


@pytest.mark.slow
def test_what_decides_numbers_is_among_it():
    named = numerics.shared_code()
    parts = {"loop", "optimization", "run", "learners", "mapping_history", "forward", "evaluate", "job"}
    wanted = {f"training/{part}.py" for part in parts} | {"data/augment.py", "data/cache.py", "data/splits.py"}
    wanted |= {"attributes/sampling.py", "backbones/clip.py", "backbones/classifier.py", "backbones/mini.py"}
    assert wanted <= named.keys()


def test_what_is_left_out_is_there():
    assert all((code.FOLDER / name).is_file() for name in numerics.BESIDE)


@pytest.mark.parametrize(
    ("before", "after", "noticed"),
    [("return 1", "return 2", True), ("return 1", "return 1  # one", False)],
    ids=["a number", "a comment"],
)
def test_a_change_is_noticed_until_it_is_recorded(tmp_path, monkeypatch, before, after, noticed):
    file, recorded = tmp_path / "loop.py", tmp_path / "numerics.yaml"
    file.write_text(f"def rate():\n    {before}\n")
    recorded.write_text("version: 1\nfiles: {}\nsaid: []\n")
    monkeypatch.setattr(numerics, "RECORD", recorded)
    monkeypatch.setattr(numerics, "shared_code", lambda: {"loop.py": code.code_digest([file])})
    numerics.record("first")
    file.write_text(f"def rate():\n    {after}\n")
    assert numerics.changed() == (["loop.py"] if noticed else [])
    numerics.record("nothing changes")
    assert numerics.changed() == []
    assert [each["why"] for each in read_yaml(recorded)["said"]] == ["first", "nothing changes"]


@pytest.mark.slow
def test_the_command_wants_a_reason():
    done = subprocess.run(
        [sys.executable, "-m", "papertables.base.numerics"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("error: say why: python -m papertables.base.numerics")
