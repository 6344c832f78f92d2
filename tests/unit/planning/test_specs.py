"""The specs of every shipped artefact stay as they were recorded, whatever is rearranged in how they are resolved.

Who means to change them writes the record anew: ``python -m tests.unit.planning.test_specs``.
"""

import hashlib
import json
import re
from pathlib import Path

import pytest

from tests.unit.plans import plan_of

RECORD = Path(__file__).parents[1] / "recorded" / "specs.json"
CONFIGURATIONS = {
    "published": {},
    "repaired": {"fidelity": "repaired"},
    "searched": {"anchors": "searched"},
    "last": {"selection": "last"},
}
CASES = [f"{scale} {name}" for scale in ("mini", "paper") for name in CONFIGURATIONS]


def specs(case: str) -> dict[str, list]:
    """By artefact, and for all jobs and searches: how many, and a digest of their ids and specs."""
    scale, name = case.split()
    plan = plan_of(**{"scale": scale} | CONFIGURATIONS[name])
    found = {id: [f"{run.id} {run.digest}" for run in planned.runs] for id, planned in plan.artefacts.items()}
    found |= {"jobs": list(plan.jobs), "searches": sorted(" ".join(place) for place in plan.searches)}
    return {id: [len(each), hashlib.sha256("\n".join(each).encode()).hexdigest()[:16]] for id, each in found.items()}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_specs_stay_as_they_were_recorded(case):
    assert specs(case) == json.loads(RECORD.read_text())[case]


if __name__ == "__main__":
    text = json.dumps({case: specs(case) for case in CASES}, indent=1)
    RECORD.write_text(re.sub(r"\[\s+(\d+),\s+(\S+)\s+\]", r"[\1, \2]", text) + "\n")  # a line per artefact
