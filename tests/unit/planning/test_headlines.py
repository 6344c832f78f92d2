"""Every row of every headline artefact as it is trained at the paper scale, beside where its settings were read.

What is recorded was compared with the sources that it names; ``python -m tests.unit.planning.test_headlines`` writes it
anew, to be compared again.
"""

from pathlib import Path

import pytest
import yaml

from papertables.planning.plan import Plan
from tests.unit.plans import plan_of

pytestmark = pytest.mark.slow  # whole plans of the paper scale

RECORDED = Path(__file__).parents[1] / "recorded" / "headlines.yaml"
ABOUT = """# Every row of the headline artefacts: where its settings were read, and how its runs are trained, on which
# data sets with which backbones. Compared with the sources that are named.
"""


def plan() -> Plan:
    return plan_of(scale="paper", artefacts="headline")


def trained(run) -> dict:
    """What is said of a run, without what differs from seed to seed and from data set to data set."""
    said = run.model_dump(mode="json", exclude_none=True, exclude={"seed", "backbone", "dataset"})
    said["training"] = run.training and run.training.model_dump(mode="json", exclude_defaults=True)
    said["options"] = {name: value for name, value in said["options"].items() if name != "attributes" or not value}
    if run.teacher:
        said["teacher"] = trained(run.teacher) | {"backbone": run.teacher.backbone}
    return {name: value for name, value in said.items() if value not in (None, {}, [])}


def rows(id: str) -> dict:
    """By row: its origin, and by how it is trained, on what."""
    planned, found = plan().artefacts[id], {}
    for cell in planned.cells:
        settings = planned.artefact.fixed | cell.row.settings | cell.column.settings
        method = planned.paper.methods[settings["method"]]
        row = found.setdefault(method.label, {"origin": method.source, "trained": []})
        for run in (member.runs[0] for member in cell.members):
            how, what = trained(run), f"{run.dataset} {run.backbone}"
            same = [each for each in row["trained"] if each["how"] == how]
            if not same:
                row["trained"].append(same := {"how": how, "on": []})
                same = [same]
            if what not in same[0]["on"]:
                same[0]["on"].append(what)
    return found


def test_every_headline_is_recorded():
    assert set(yaml.safe_load(RECORDED.read_text("utf-8"))) == set(plan().selected)


@pytest.mark.parametrize("id", yaml.safe_load(RECORDED.read_text("utf-8")))
def test_rows_are_trained_as_was_compared_with_their_sources(id):
    assert rows(id) == yaml.safe_load(RECORDED.read_text("utf-8"))[id]


if __name__ == "__main__":
    content = {id: rows(id) for id in plan().selected}
    RECORDED.write_text(ABOUT + yaml.safe_dump(content, sort_keys=False, width=120, default_flow_style=None), "utf-8")
