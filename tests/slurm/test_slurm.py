"""AttrVR's headline table through ``profiles/slurm``, while all goes wrong that may on a cluster over night."""

import json
import re
import shutil
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import torch
import yaml

from papertables.planning.resources import memory_mb
from tests.environment.conda_standin import path_with
from tests.environment.prepare import COMMANDS, ENVIRONMENTS, is_ready
from tests.slurm.cluster import NODES, Cluster, cluster, obstacle
from tests.workflow.conftest import Project, copy_project

pytestmark = [pytest.mark.slow, pytest.mark.skipif(obstacle() is not None, reason=str(obstacle()))]

TARGET = "attrvr_table1"
CONFIG = ("--config", "scale=mini", "device=auto", "checkpoint_seconds=0", "seeds=[1,2]")
PROFILE = (
    *("--workflow-profile", "profiles/slurm", "--slurm-status-command", "squeue", "--latency-wait", "10"),
    *("--slurm-init-seconds-before-status-checks", "2"),
)
THERE = ("data", "cache")
TOO_LITTLE = "40 if attempt == 1 else 4000"  # MB
CONDA = ("--use-conda", "--conda-prefix", str(ENVIRONMENTS)) if is_ready() else ()
SET = re.compile(r"rule_train_wildcards_attrvr_table1\.(\w+)\.")


@dataclass
class Night:
    """A run of the pipeline on a cluster. seen: by Slurm's number of each job, what was told of it while it ran.
    faults: by data set, what happened to its training. lost: by node that is gone, a job that ran there.
    devices: the GPUs that trainings were given, None where one was given none."""

    project: Project
    cluster: Cluster
    pipeline: subprocess.Popen
    printed: Path
    seen: dict[str, str] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    devices: set[str | None] = field(default_factory=set)

    def watch(self) -> None:
        """Until the pipeline ends; every training meets another fault once it has a checkpoint."""
        ahead = [self.lose_node, self.cancel, self.overrun, self.terminate]
        controller_was_restarted = False
        while self.pipeline.poll() is None:
            for job, told in self.cluster.running().items():
                self.seen[job] = told
                found = SET.search(told)
                if not controller_was_restarted and "rule_cache" in told:
                    controller_was_restarted = True
                    self.restart_controller()
                elif ahead and found and found[1] not in self.faults and self.has_checkpoint(found[1]):
                    if not (at_work := self.training(job)):
                        continue
                    self.devices |= {each.environ().get("CUDA_VISIBLE_DEVICES") for each in at_work}
                    fault = ahead.pop(0)
                    self.faults[found[1]] = fault.__name__
                    fault(job)
            for node, job in [*self.lost.items()]:
                if self.cluster.told(job, "%T %N") != f"RUNNING {node}":
                    del self.lost[node]
                    self.cluster.start_node(node)
            time.sleep(0.5)

    def has_checkpoint(self, dataset: str) -> bool:
        for path in (self.project.root / "results" / "mini" / "checkpoints").glob("*.pt"):
            with suppress(FileNotFoundError):
                runs = torch.load(path, weights_only=True)["fingerprints"]
                if any(run.startswith(f"{dataset}/") for run in runs):
                    return True
        return False

    def lose_node(self, job: str) -> None:
        node = self.cluster.told(job, "%N")
        self.cluster.lose(node)
        self.lost[node] = job

    def cancel(self, job: str) -> None:
        self.cluster.ask("scancel", job)

    def overrun(self, job: str) -> None:
        """It hangs until its time is up."""
        self.cluster.ask("scontrol", "update", f"JobId={job}", "TimeLimit=1")
        for process in self.training(job):
            process.suspend()

    def terminate(self, job: str) -> None:
        """As a preemption does: the job ends with the status of one that can go on."""
        for process in self.training(job):
            process.terminate()

    def training(self, job: str) -> list[psutil.Process]:
        return [each for each in self.cluster.processes(job) if any("/scripts/" in part for part in each.cmdline())]

    def restart_controller(self) -> None:
        self.cluster.end("slurmctld")
        time.sleep(5)
        self.cluster.start_controller()


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> Project:
    """The same table on this machine."""
    project = copy_project(tmp_path_factory.mktemp("local") / "project")
    command = project.command(TARGET, "--cores", "2", *CONFIG)
    subprocess.run(command, cwd=project.root, env=project.environment, check=True)
    return project


@pytest.fixture(scope="module")
def night(tmp_path_factory, local) -> Night:
    return spend_the_night(tmp_path_factory.mktemp("night"), local)


def spend_the_night(folder: Path, local: Project) -> Night:
    """Images are there already but for some of one data set, so that it takes minutes."""
    project = copy_project(folder / "project")
    made_here, mini = local.root / "results" / "mini", project.root / "results" / "mini"
    for part in THERE:
        shutil.copytree(made_here / part, mini / part, symlinks=True)
    (mini / "cache" / "mini_digits" / "train-short-48.safetensors").unlink()
    written = project.root / "config.yaml"
    written.write_text(written.read_text().replace("cache_dir: null", "cache_dir: $TMPDIR/caches"))
    profile = project.root / "profiles" / "slurm" / "config.yaml"
    settings = yaml.safe_load(profile.read_text())
    settings["set-resources"]["cache"] = {"mem_mb": TOO_LITTLE}
    profile.write_text(yaml.safe_dump(settings))
    printed = folder / "printed"
    with cluster(folder / "slurm") as made, printed.open("w") as out:
        command = project.command(TARGET, *PROFILE, *CONDA, *CONFIG)
        environment = project.environment | made.environment | {"PATH": path_with(COMMANDS)}
        pipeline = subprocess.Popen(command, cwd=project.root, env=environment, stdout=out, stderr=subprocess.STDOUT)
        story = Night(project, made, pipeline, printed)
        try:
            story.watch()
        finally:
            pipeline.kill()
            pipeline.wait()
        print(made.ask("sinfo", "-N", "-l"), made.ask("squeue", "-t", "all", "-o", "%i %T %M %l %m %b %N %k"))
    return story


def test_it_ends_well(night):
    assert night.pipeline.returncode == 0, night.printed.read_text()[-5000:]
    assert sorted(night.faults.values()) == ["cancel", "lose_node", "overrun", "terminate"]


def test_every_artefact_is_that_of_one_machine(night, local):
    for suffix in ("md", "csv", "tex", "html"):
        name = f"results/mini/tables/attrvr/table1.{suffix}"
        assert (night.project.root / name).read_bytes() == (local.root / name).read_bytes(), name
    ours, theirs = (
        {path.relative_to(each.root): path for path in each.root.glob("results/mini/runs/**/metrics.json")}
        for each in (night.project, local)
    )
    assert ours.keys() == theirs.keys() != set()
    for name, path in ours.items():
        assert json.loads(path.read_text())["curve"] == json.loads(theirs[name].read_text())["curve"]


def test_no_training_starts_again_from_nothing(night):
    for dataset in night.faults:
        log = (night.project.root / f"results/mini/logs/train/attrvr_table1.{dataset}.mini-vit.0.log").read_text()
        runs, missing = map(int, re.search(r"(\d+) runs, (\d+) to make", log).groups())
        first = int(re.search(r" (\d+)/\d+ \[", log)[1])
        assert missing < runs or first > 0, log


def test_jobs_ask_for_what_they_are_estimated_to_take(night):
    trained = [told for told in night.seen.values() if "rule_train" in told]
    assert {told.split()[0] for told in trained} == {"gpu"}
    first, second = memory_mb(1, originals=True), memory_mb(2, originals=True)
    assert {f"{first}M", f"{second}M"} <= {told.split()[2] for told in trained}
    assert night.devices and None not in night.devices


def test_a_job_over_its_memory_is_sent_again_with_more(night):
    caches = [told.split()[2] for told in night.seen.values() if "rule_cache" in told]
    assert caches == ["40M", "4000M"]


def test_caches_are_copied_to_each_node_once(night):
    for node in NODES:
        copies = [path.parent for path in (night.cluster.folder / f"disk-{node}" / "caches").rglob("*.safetensors")]
        assert copies and len(copies) == len({*copies})
