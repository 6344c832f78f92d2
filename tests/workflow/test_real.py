"""Label mappings and masks on real images with a real classifier, where PAPERTABLES_REAL names a folder that has them:
parts of data sets as ``<data set>/split_subset.json`` with their images, and ``resnet18_in1k_*.safetensors``."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from papertables.backbones.catalog import backbone
from papertables.backbones.classifier import source_labels
from papertables.backbones.frozen_features import read_tensors
from papertables.data.prepare import SUBSET
from papertables.results.mappings import read_mappings
from papertables.results.store import Store
from tests.workflow.conftest import copy_project

pytestmark = pytest.mark.timeout(2 * 3600)  # half an hour of both cores, where nothing else runs

REAL = Path(os.environ.get("PAPERTABLES_REAL", "/nonexistent"))
SETS = ("eurosat", "cifar10")
LABELS = {"eurosat": "EuroSAT", "cifar10": "CIFAR10"}
SCALE = """\
title: Parts of real data sets
seeds: [1]
runs_per_job: 8
threads: 2
device: cpu
compares: false
papers:
  blm: &short
    datasets: [eurosat, cifar10]
    backbones: {resnet18: resnet18}
    training: {epochs: 6, batch_size: 20, optimizer: {lr: 0.05}}
  smm: *short
"""
ARTEFACTS = {
    "blm": """\
title: Label mappings on real images
rows:
  vary: method
  values: [rlm_watermark, flm_watermark, ilm_watermark, blm_watermark, blmp_watermark, learned_watermark]
columns: {vary: dataset, values: all}
fixed: {backbone: resnet18}
""",
    "smm": """\
title: Masks on real images
rows: {vary: method, values: [full, smm]}
columns: {vary: dataset, values: all}
fixed: {backbone: resnet18}
""",
}
PER_CLASS = {"train": 16, "val": 0, "test": 20}
CHANCE = 10.0  # per cent, of ten classes
FROZEN = ["RLM (watermark)", "FLM (watermark)"]  # mappings that stay as they were made first


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


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project with both tables."""
    project = copy_project(tmp_path_factory.mktemp("real") / "project")
    for path in project.root.glob("workflow/papers/*/*.yaml"):
        if path.stem != "protocol" or path.parent.name not in ARTEFACTS:
            path.unlink()
    (project.root / "workflow" / "scales" / "real.yaml").write_text(SCALE)
    for paper, text in ARTEFACTS.items():
        (project.root / "workflow" / "papers" / paper / "real.yaml").write_text(text)
    for name in SETS:
        raw = project.root / "data" / name
        raw.mkdir(parents=True)
        for part in ("train", "test"):
            (raw / part).symlink_to(REAL / name / part, target_is_directory=True)
        (raw / SUBSET).write_text(json.dumps(some_of(json.loads((REAL / name / SUBSET).read_text()))))
    (weights,) = REAL.glob("resnet18_in1k_*.safetensors")
    given = ("scale=real", "selection=last", f'weights={{"resnet18": "{weights}"}}', "artefacts=[blm_real, smm_real]")
    project.run("blm_real", "smm_real", config=given)
    return project.root / "results" / "real"


def probe(results: Path, name: str) -> float:
    """The accuracy, in per cent, of a logistic regression on the features of plain images, cross-validated over the
    test images: about what any mapping of the frozen classifier can reach."""
    features, _ = read_tensors(results / "frozen_features" / name / "resnet18.safetensors")
    regression = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return 100 * cross_val_score(regression, features["images"].numpy(), features["labels"].numpy(), cv=5).mean()


def accuracies(results: Path, paper: str) -> pd.DataFrame:
    """By method and data set, in per cent."""
    table = pd.read_csv(results / "tables" / paper / "real.csv")
    return table.pivot_table(index="row", columns="column", values="mean")


@pytest.mark.skipif(not REAL.is_dir(), reason="PAPERTABLES_REAL names no folder with real images and weights")
def test_mappings_and_masks_stand_between_chance_and_a_linear_probe(made):
    bounds = {LABELS[name]: probe(made, name) for name in SETS}
    for paper in ARTEFACTS:
        found = accuracies(made, paper)[list(bounds)]
        assert (found["EuroSAT"] > 1.5 * CHANCE).all(), found
        assert found["CIFAR10"].max() > CHANCE, found  # of images of 32 px masks learn little in so few epochs
        assert (found < pd.Series(bounds) + 10).all(axis=None), (found, bounds)
    mapped = accuracies(made, "blm")[list(bounds)].mean(axis=1)
    assert mapped.drop(FROZEN).max() > mapped[FROZEN].max()  # as in the paper: mappings that are made anew are better


@pytest.mark.skipif(not REAL.is_dir(), reason="PAPERTABLES_REAL names no folder with real images and weights")
def test_what_is_kept_of_real_images(made):
    text = (made / "tables" / "blm" / "real.md").read_text()
    assert "EuroSAT: a subset of 160 of 13,500 training and 200 of 8,100 test images" in text
    assert "weights of the user's, resnet18" in text
    runs = [json.loads(line)["run"] for job in (made / "jobs").iterdir() for line in job.read_text().splitlines()]
    run = next(run for run in runs if run.startswith("eurosat/") and "mappingblmp-" in run)
    kept = read_mappings(Store(made / "runs").mappings(run))
    names = np.array(source_labels(backbone("resnet18")))[kept["sources"][-1][:, 0]]
    assert len(set(names)) > 3  # classes differ in their heaviest ImageNet label
