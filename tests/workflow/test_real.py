"""Label mapping on real images with a real classifier, where PAPERTABLES_REAL names a folder that has them: parts of
data sets as ``<data set>/split_subset.json`` with their images, and ``resnet18_in1k_*.safetensors``."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from papertables.backbones.catalog import backbone
from papertables.backbones.classifier import source_labels
from papertables.data.prepare import SUBSET
from papertables.results.mappings import read_mappings
from papertables.results.store import Store
from tests.workflow.conftest import copy_project

REAL = Path(os.environ.get("PAPERTABLES_REAL", "/nonexistent"))
SCALE = """\
title: A part of a real data set
seeds: [1]
runs_per_job: 8
threads: 2
device: cpu
compares: false
papers:
  blm:
    datasets: [eurosat]
    backbones: {resnet18: resnet18}
    training: {epochs: 1, batch_size: 20, optimizer: {lr: 0.05}}
"""
ARTEFACT = """\
title: BLM+ on real images
rows: {vary: method, values: [blmp_watermark]}
columns: {vary: dataset, values: all}
fixed: {backbone: resnet18}
"""
PER_CLASS = {"train": 6, "val": 0, "test": 10}


def some_of(split: dict) -> dict:
    """The first images of each class."""
    return {
        part: [
            item
            for label in sorted({item[1] for item in split["train"]})
            for item in [item for item in split[part] if item[1] == label][:count]
        ]
        for part, count in PER_CLASS.items()
    }


@pytest.mark.skipif(not REAL.is_dir(), reason="PAPERTABLES_REAL names no folder with real images and weights")
def test_blmp_on_real_images(tmp_path):
    project = copy_project(tmp_path / "project")
    for path in project.root.glob("workflow/papers/*/*.yaml"):
        if path.stem != "protocol" or path.parent.name != "blm":
            path.unlink()
    (project.root / "workflow" / "scales" / "real.yaml").write_text(SCALE)
    (project.root / "workflow" / "papers" / "blm" / "real.yaml").write_text(ARTEFACT)
    raw = project.root / "data" / "eurosat"
    raw.mkdir(parents=True)
    for part in ("train", "test"):
        (raw / part).symlink_to(REAL / "eurosat" / part, target_is_directory=True)
    (raw / SUBSET).write_text(json.dumps(some_of(json.loads((REAL / "eurosat" / SUBSET).read_text()))))
    (weights,) = REAL.glob("resnet18_in1k_*.safetensors")
    project.run("blm_real", config=("scale=real", f'weights={{"resnet18": "{weights}"}}', "artefacts=[blm_real]"))

    results = project.root / "results" / "real"
    table = pd.read_csv(results / "tables" / "blm" / "real.csv")
    assert table["mean"].iloc[0] > 25  # chance is 10
    text = (results / "tables" / "blm" / "real.md").read_text()
    assert "EuroSAT: a subset of 60 of 13,500 training and 100 of 8,100 test images" in text
    assert f"weights of the user's, {weights.name.replace('_', chr(92) + '_')}" in text
    (job,) = (results / "jobs").iterdir()
    run = json.loads(job.read_text())["run"]
    kept = read_mappings(Store(results / "runs").mappings(run))
    names = np.array(source_labels(backbone("resnet18")))[kept["sources"][-1][:, 0]]
    assert len(set(names)) > 3  # classes differ in their heaviest ImageNet label
