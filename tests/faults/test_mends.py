"""What an error tells to do is done to the letter; then the same command makes what it made before."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workflow.conftest import Project, copy_project

pytestmark = [pytest.mark.slow, pytest.mark.faults]

TARGETS = ("attrvr_table1", "attrvr_patterns", "blm_top_labels")
MOST = 3  # errors until all is mended
ADVICE = re.compile(
    r"^error: (?:.*; \S+: )?(?P<file>\S+?): .*?: (?:delete (?P<files>.+?) and run again|run again)$", re.MULTILINE
)


def flip(path: Path) -> None:
    """Alters the byte in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def reworded(path: Path) -> None:
    """A job's line that says another accuracy."""
    path.write_text(re.sub(r'"accuracy":\d+', '"accuracy":7', path.read_text(), count=1))


DAMAGES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "manifest cut off": ("data/mini_digits/manifest.json", cut),
    "split altered": ("data/mini_digits/split.json", flip),
    "image cache altered": ("cache/mini_digits/*.safetensors", flip),
    "image cache cut off": ("cache/mini_digits/*.safetensors", cut),
    "frozen features altered": ("frozen_features/mini_digits/mini-vit.safetensors", flip),
    "features of sentences cut off": ("sentence_features/mini_digits/mini-vit/*.safetensors", cut),
    "learner altered": ("runs/mini_digits/mini-vit/attrvr-*/learner.safetensors", flip),
    "learner gone": ("runs/mini_digits/mini-vit/attrvr-*/learner.safetensors", Path.unlink),
    "record altered": ("runs/mini_digits/mini-vit/vp-*/metrics.json", flip),
    "folder of a run gone": ("runs/mini_digits/mini-vit/vp-*/metrics.json", lambda path: shutil.rmtree(path.parent)),
    "mappings altered": ("runs/mini_digits/mini-cls-rn/*/mappings.npz", flip),
    "line of a job reworded": ("jobs/attrvr_table1.*.jsonl", reworded),
    "job cut off": ("jobs/attrvr_table1.*.jsonl", cut),
    "inspection altered": ("inspections/**/*.safetensors", flip),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Project:
    """A project with a table and two figures."""
    project = copy_project(tmp_path_factory.mktemp("mends") / "project")
    project.run(*TARGETS)
    return project


def shown(project: Project) -> dict[str, bytes]:
    """The numbers of the artefacts, as they are written."""
    files = [*project.results.glob("tables/**/*.csv"), *project.results.glob("figures/**/*.csv")]
    return {str(path): path.read_bytes() for path in files}


def follow(root: Path, printed: str) -> bool:
    """Deletes what the errors tell to delete; whether they told anything."""
    found = list(ADVICE.finditer(printed))
    for told in found:
        names = [told["file"] if name == "it" else name for name in re.split(r" and |, ", told["files"] or "")]
        for path in (root / name for name in names if name):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return bool(found)


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_advice_heals(made, damage):
    pattern, harm = DAMAGES[damage]
    before = shown(made)
    for artefact in made.results.glob("[tf]*s/*/*.json"):
        artefact.unlink()  # so that all is read again
    harmed = sorted(made.results.glob(pattern))[0]
    whole, times = harmed.read_bytes(), harmed.stat()
    harm(harmed)
    left = harmed.read_bytes() if harmed.exists() else None
    for _ in range(MOST):
        printed = made.run(*TARGETS, check=None)
        if not follow(made.root, printed):
            break
    assert "100%" in printed or "Nothing to be done" in printed, printed
    assert shown(made) == before
    if left is not None and harmed.exists() and harmed.read_bytes() == left:  # nobody read it; the tests to come may
        harmed.write_bytes(whole)
        os.utime(harmed, ns=(times.st_atime_ns, times.st_mtime_ns))
