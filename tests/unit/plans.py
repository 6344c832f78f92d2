"""Plans of the shipped project, each made once for all tests that look at it."""

import gc
import json
from functools import cache
from pathlib import Path

import yaml

from papertables.planning.plan import Plan, make_plan

REPOSITORY = Path(__file__).parents[2]
CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text())


def plan_of(**config) -> Plan:
    """Under config.yaml with some values put over it."""
    return _plan(json.dumps(config, sort_keys=True))


@cache
def _plan(config: str) -> Plan:
    made = make_plan(REPOSITORY, CONFIG | json.loads(config))
    gc.freeze()  # plans stay, and going through all their objects again and again would take a fifth of the tests' time
    return made
