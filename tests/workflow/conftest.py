"""A copy of the project in a temporary folder, with a scale small enough for a test."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PARTS = ("Snakefile", "config.yaml", "workflow", "profiles", "envs", "attributes", "src")
TINY_SCALE = """\
title: For tests
seeds: [1, 2]
runs_per_job: 64
threads: 1
device: cpu
compares: false
shots: 2
papers:
  attrvr:
    datasets: [mini_digits]
    backbones: {clip_vit_b16: mini-vit, clip_rn50: mini-rn, clip_rn101: null, clip_vit_b32: null}
    dataset_substitutes: {dtd: null, fgvc_aircraft: null, oxford_pets: null, oxford_flowers: mini_digits}
    attributes: {gpt3: mini, gpt4omini_llm: mini_single, gpt4omini_mllm: mini_half, llama: mini_vague, phi3: mini_wrong}
    training: {epochs: 2}
  blm: &mapped
    datasets: [mini_digits]
    dataset_substitutes:
      {cifar10: mini_digits, cifar100: mini_digits, svhn: mini_digits, gtsrb: mini_digits, oxford_flowers: mini_digits,
       dtd: mini_digits, ucf101: mini_digits, food101: null, sun397: null, eurosat: mini_digits,
       oxford_pets: mini_digits, stanford_cars: mini_digits}
    backbones:
      {resnet18: mini-cls-rn, resnext101_ig: mini-cls-vit, clip_vit_b32: mini-vit, resnet50_v2: mini-cls-rn,
       vit_b32_384: mini-cls-vit, vit_l_384: null}
    fraction: 0.2
    without: {options.patch: [1, 2], options.width: [16, 32, 64, 128]}
    training: {epochs: 2, batch_size: 32}
  smm: *mapped
  atprompt:
    datasets: [mini_digits]
    dataset_substitutes:
      {imagenet: mini_digits, caltech101: mini_digits, oxford_pets: mini_digits, stanford_cars: mini_digits,
       oxford_flowers: null, food101: null, fgvc_aircraft: null, sun397: null, dtd: null, eurosat: null, ucf101: null,
       imagenetv2: mini_signs, imagenet_sketch: null, imagenet_a: null, imagenet_r: null}
    backbones: {clip_vit_b16: mini-vit, clip_vit_l14: mini-vit}
    search: {epochs: 2}
    adjust:
      - when:
          method:
            [coop, coop_atp, cocoop, cocoop_atp, maple, maple_atp, dept, dept_atp, dept_cocoop, dept_cocoop_atp,
             promptsrc, promptsrc_atp, promptsrc_teacher, promptsrc_teacher_atp, promptkd, promptkd_atp]
        set: {training.epochs: 2, training.batch_size: 8}
  common:
    datasets: [mini_digits]
    dataset_substitutes: {resisc45: null}
    backbones: {clip_vit_b16: mini-vit}
    attributes: {gpt3: mini}
    adjust: [{when: {}, set: {training.epochs: 2, training.batch_size: 8}}]
"""


@dataclass
class Project:
    """A project folder and the commands a user would type in it."""

    root: Path

    @property
    def results(self) -> Path:
        return self.root / "results" / "tiny"

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "snakemake", *arguments]

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"PYTHONPATH": str(self.root / "src"), "OMP_NUM_THREADS": "1"}

    def run(self, *arguments: str, config: tuple[str, ...] = (), check: bool = True) -> str:
        """Runs snakemake at the tiny scale; returns what it printed. check: whether it is to succeed."""
        scale = () if any(item.startswith("scale=") for item in config) else ("scale=tiny",)
        done = subprocess.run(
            self.command(*arguments, "--config", *scale, *config),
            cwd=self.root,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert (done.returncode == 0) == check, done.stdout
        return done.stdout

    def papertables(self, *arguments: str) -> str:
        """Runs a command about the tiny scale; returns what it printed."""
        command = [sys.executable, "-m", "papertables.commands.cli", *arguments]
        return subprocess.run(
            command, cwd=self.root, env=self.environment, text=True, check=True, stdout=subprocess.PIPE
        ).stdout

    def metrics_times(self) -> dict[str, int]:
        """When each run's metrics were written, by run id."""
        runs = self.results / "runs"
        return {str(path.parent.relative_to(runs)): path.stat().st_mtime_ns for path in runs.rglob("metrics.json")}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return copy_project(tmp_path / "project")


def copy_project(root: Path) -> Project:
    """The project in a folder, where an earlier copy may lie."""
    root.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        source = REPOSITORY / part
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(source, root / part, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy(source, root / part)
    (root / "workflow" / "scales" / "tiny.yaml").write_text(TINY_SCALE)
    return Project(root)
