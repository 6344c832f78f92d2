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


def test_every_rule_that_takes_a_gpu_goes_to_the_partition_that_has_some():
    rules = (PROFILES.parent / "workflow" / "rules").glob("*.smk")
    blocks = [block for path in rules for block in path.read_text().split("\nrule ")]
    taking = {block.partition(":")[0].removeprefix("rule ") for block in blocks if "gpu=gpus()" in block}
    sent = yaml.safe_load((PROFILES / "slurm" / "config.yaml").read_text())["set-resources"]
    assert {rule for rule, resources in sent.items() if resources["slurm_partition"] == "gpu"} == taking
