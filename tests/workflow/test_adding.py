"""docs/adding.md, followed as it stands: its blocks are written where they say, and run."""

import csv
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.workflow.conftest import REPOSITORY, Project, copy_project

PAGE = REPOSITORY / "docs" / "adding.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PLACE = re.compile(r"# (\S+\.(?:py|yaml))(?:, (?:at its (end)|(below|above) `(.*)`))?$")


class Block(NamedTuple):
    language: str
    text: str

    def follow(self, project: Project) -> None:
        first, _, rest = self.text.partition("\n")
        place = PLACE.match(first)
        if place:
            _write(project.root / place[1], rest, place[2] or place[3], place[4])
        elif self.language == "python":
            _run([sys.executable, "-c", self.text], project)
        else:
            for line in self.text.splitlines():
                command = shlex.split(line)
                assert command[0] == "papertables"
                _run([sys.executable, "-m", "papertables.commands.cli", *command[1:]], project)


def _write(path: Path, text: str, where: str | None, line: str | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if where is None:
        assert not path.exists()
        path.write_text(text)
        return
    lines = path.read_text().splitlines(keepends=True)
    place = len(lines) if where == "end" else lines.index(f"{line}\n") + (where == "below")
    path.write_text("".join([*lines[:place], text, *lines[place:]]))


def _run(command: list[str], project: Project) -> None:
    done = subprocess.run(command, cwd=project.root, env=project.environment, text=True, capture_output=True)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"


@pytest.fixture(scope="module")
def followed(tmp_path_factory) -> Path:
    """The mini scale's results of a project in which somebody has followed the page."""
    project = copy_project(tmp_path_factory.mktemp("adding") / "project")
    for language, text in BLOCK.findall(PAGE.read_text("utf-8")):
        Block(language, text).follow(project)
    return project.root / "results" / "mini"


def rows(results: Path, name: str, column: str = "row") -> dict[str, dict[str, str]]:
    """What stands in a table or figure, by row or series."""
    with (results / f"{name}.csv").open(encoding="utf-8") as file:
        return {row[column]: row for row in csv.DictReader(file)}


@pytest.mark.slow
def test_what_the_page_adds_is_made(followed):
    learned = rows(followed, "tables/common/badges") | rows(followed, "tables/blm/badges")
    assert learned.keys() == {"Zero-shot", "AttrVR", "CoOp", "CoOp+ATPrompt", "ILM", "BLM"}
    assert all(float(row["mean"]) > 90 for row in learned.values())
    assert rows(followed, "tables/common/tint").keys() == {"VP", "Tint", "Tint (strong)"}
    assert rows(followed, "tables/blm/shufflenet")["ILM"]["n"] == "1"
    assert rows(followed, "tables/fifth/table1").keys() == {"Zero-shot", "Frame"}
    assert rows(followed, "figures/common/badges_shots", "series")["VP"]["n"] == "2"  # its own seeds
    claim = "a tint is better than a frame"
    verdicts = json.loads((followed / "verdicts" / "common.json").read_text())["claims"]
    assert [each["verdict"] for each in verdicts if each["words"] == claim] == ["fails"]  # both classify every badge
