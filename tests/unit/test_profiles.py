"""A profile stands in the place of the one that is loaded by itself, so it says all that this one says."""

from pathlib import Path

import pytest
import yaml

PROFILES = Path(__file__).parents[2] / "profiles"
DEFAULT = yaml.safe_load((PROFILES / "default" / "config.yaml").read_text())
OF_THE_MACHINE = {"cores", "resources"}
LIMITS = {"downloads", "llm"}  # that hold everywhere


def limits(profile):
    return dict(each.split("=") for each in profile["resources"])


@pytest.mark.parametrize("name", ["slurm", "workstation"])
def test_a_profile_keeps_the_settings_of_the_default(name):
    profile = yaml.safe_load((PROFILES / name / "config.yaml").read_text())
    shared = DEFAULT.keys() - OF_THE_MACHINE
    assert {key: profile[key] for key in shared} == {key: DEFAULT[key] for key in shared}
    assert {key: limits(profile)[key] for key in LIMITS} == {key: limits(DEFAULT)[key] for key in LIMITS}


def rules() -> dict[str, str]:
    """By name, what each says."""
    files = (PROFILES.parent / "workflow" / "rules").glob("*.smk")
    blocks = [block for path in files for block in f"\n{path.read_text()}".split("\nrule ")[1:]]
    return {name: said for name, _, said in (block.partition(":") for block in blocks)}


def test_every_rule_that_takes_a_gpu_goes_to_the_partition_that_has_some():
    taking = {name for name, said in rules().items() if "gpu=gpus()" in said}
    sent = yaml.safe_load((PROFILES / "slurm" / "config.yaml").read_text())["set-resources"]
    assert {rule for rule, resources in sent.items() if resources["slurm_partition"] == "gpu"} == taking


def test_the_page_on_clusters_says_where_the_jobs_of_every_rule_run():
    page = (PROFILES.parent / "docs" / "cluster.md").read_text("utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.count(" | ") == 3]
    told = {rule: row[1] for row in rows for rule in row[0].split(", ")}
    for name, said in rules().items():
        if "script:" in said:
            where = "partition with GPUs" if "gpu=gpus()" in said else "partition for all else"
            assert told[name] == ("where Snakemake runs" if "localrule: True" in said else f"the {where}")
