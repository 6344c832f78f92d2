"""The conda environments have what their jobs import, pinned as the lock file pins it."""

import ast
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "papertables"
LOCKED = {line.split(" ;")[0].strip() for line in (ROOT / "requirements.lock").read_text().splitlines()}
AT_THE_TERMINAL = {"commands", "schema.py"}  # rooms that no job enters
ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))


def pins(path: Path) -> list[str]:
    return next(item["pip"] for item in yaml.safe_load(path.read_text())["dependencies"] if isinstance(item, dict))


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_pins_agree_with_the_lock(path):
    assert pins(path)
    assert set(pins(path)) <= LOCKED


@pytest.mark.slow
def test_jobs_find_all_that_they_import():
    files = (file for file in PACKAGE.rglob("*.py") if file.relative_to(PACKAGE).parts[0] not in AT_THE_TERMINAL)
    imported = {name for file in files for name in modules(file)} - sys.stdlib_module_names - {"papertables"}
    known = packages_distributions()
    needed = {canonicalize_name(known[name][0]) for name in imported}
    pinned = {canonicalize_name(Requirement(pin).name) for pin in pins(ROOT / "envs" / "train.yaml")}
    assert needed - pinned == set()


def test_torch_brings_its_own_cuda():
    """Whether a GPU is at hand where an environment is made decides nothing: the index of pip has one torch for
    Linux, and it brings CUDA; one of conda's would be chosen by the driver found there."""
    condas = [item for path in ENVIRONMENTS for item in yaml.safe_load(path.read_text())["dependencies"]]
    assert {item.partition("=")[0] for item in condas if isinstance(item, str)} == {"python", "pip"}
    assert not any("+cpu" in pin for path in ENVIRONMENTS for pin in pins(path))
    assert any(line.startswith("nvidia-cudnn") for line in LOCKED)


def modules(file: Path) -> set[str]:
    """The top-level names that a file imports, wherever."""
    nodes = [*ast.walk(ast.parse(file.read_text()))]
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    parts = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.partition(".")[0] for name in plain | parts}
