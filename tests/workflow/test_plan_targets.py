"""Every target of both scales plans in a dry run."""

import pytest
import yaml

from papertables.plan import make_plan
from tests.workflow.conftest import REPOSITORY, copy_project

CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
PLAN = make_plan(REPOSITORY, CONFIG)
TARGETS = ["configured", "plan", "pretrain_mini", *PLAN.project.papers, *PLAN.selected]


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    return copy_project(tmp_path_factory.mktemp("dry") / "project")


@pytest.mark.parametrize("scale", ["mini", "paper"])
@pytest.mark.parametrize("target", TARGETS)
def test_target_plans(untouched, scale, target):
    printed = untouched.run(target, "--dry-run", "--quiet", "rules", config=(f"scale={scale}", "artefacts=all"))
    assert "Traceback" not in printed
    assert not (untouched.root / "results").exists()


@pytest.mark.parametrize("scale", ["mini", "paper"])
def test_every_artefact_is_a_target(untouched, scale):
    artefacts = make_plan(REPOSITORY, CONFIG | {"scale": scale}).artefacts
    printed = untouched.run(*artefacts, "--dry-run", "--quiet", "rules", config=(f"scale={scale}", "artefacts=all"))
    assert "Traceback" not in printed


@pytest.mark.parametrize("path", ["tables/attrvr/table1.md", "tables/attrvr/table1.html", "index.html", "runs.csv"])
def test_file_plans(untouched, path):
    untouched.run(f"results/tiny/{path}", "--dry-run")


@pytest.mark.parametrize("scale", ["mini", "paper"])
def test_plan_prints_the_cost_of_every_artefact(untouched, scale):
    printed = untouched.run("plan", config=(f"scale={scale}",))
    for artefact in PLAN.artefacts:
        assert f"\n{artefact} " in printed
    assert "download" in printed
    assert "A100" in printed
