"""Every target of both scales plans in a dry run."""

import pytest

from papertables.planning.plan import make_plan
from tests.unit.plans import CONFIG
from tests.workflow.conftest import REPOSITORY, copy_project


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    return copy_project(tmp_path_factory.mktemp("dry") / "project")


@pytest.mark.parametrize("scale", ["mini", "paper"])
def test_every_name_is_a_target(untouched, scale):
    plan = make_plan(REPOSITORY, CONFIG | {"scale": scale})
    names = ["configured", "index", "runs_csv", "pretrain_mini", *plan.project.papers, *plan.artefacts]
    printed = untouched.run(*names, "--dry-run", "--quiet", "rules", config=(f"scale={scale}", "artefacts=all"))
    assert "Traceback" not in printed
    for name in (*plan.project.papers, *plan.artefacts):
        assert f"\n{name} " in printed
    assert not (untouched.root / "results").exists()


@pytest.mark.parametrize("path", ["tables/attrvr/table1.md", "tables/attrvr/table1.html", "index.html", "runs.csv"])
def test_file_plans(untouched, path):
    untouched.run(f"results/tiny/{path}", "--dry-run")


@pytest.mark.parametrize("scale", ["mini", "paper"])
def test_plan_prints_the_cost_of_every_artefact(untouched, scale):
    plan = make_plan(REPOSITORY, CONFIG | {"scale": scale})
    printed = untouched.run("plan", config=(f"scale={scale}", "artefacts=all"))
    for artefact in plan.artefacts:
        assert f"\n{artefact} " in printed
    assert "download" in printed
    assert {"mini": "the CPU", "paper": "one A100"}[scale] in printed
