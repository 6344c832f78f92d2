"""The conda environments pin what the lock file pins."""

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
LOCKED = {line.split(" ;")[0].strip() for line in (ROOT / "requirements.lock").read_text().splitlines()}


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.stem)
def test_pins_agree_with_the_lock(path):
    dependencies = yaml.safe_load(path.read_text())["dependencies"]
    pins = next(item["pip"] for item in dependencies if isinstance(item, dict))
    assert pins
    assert set(pins) <= LOCKED
