"""How long Snakemake takes on a cluster until it has sent the first job, and in how much memory, of how many jobs:

    python benchmarks/slurm.py

All that trainings read is put there as empty files, so that trainings are what is ready. Slurm's commands are
pretended: no job is run.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from papertables.base.files import read_yaml
from papertables.planning.plan import Plan, make_plan

ROOT = Path(__file__).parents[1]
COMMANDS = {  # what each prints
    "sbatch": "echo $$; touch {sent}",
    "squeue": "",
    "sinfo": "",
    "scontrol": "echo MinJobAge = 300 sec; echo MaxArraySize = 1001",
    "scancel": "",
}
PAUSE = 0.05  # seconds between two looks
CASES = {"attrvr_table1": 3, "blm": 3, "all": 9}  # targets, and how many seeds: about 100, 1,000, 10,000 trainings


def measure(target: str, seeds: int) -> tuple[int, float, float, float]:
    """(jobs that train; seconds until one is sent, and of the processor; MB at the most until then)."""
    with tempfile.TemporaryDirectory() as name:
        folder, sent = Path(name), Path(name) / "sent"
        config = {"scale": "paper", "device": "cuda", "artefacts": target, "seeds": list(range(1, seeds + 1))}
        plan = make_plan(ROOT, read_yaml(ROOT / "config.yaml") | config)
        jobs = plan.jobs_for(*plan.selected)
        put_inputs(plan, [job.id for job in jobs], folder)
        commands = folder / "bin"
        commands.mkdir()
        for command, script in COMMANDS.items():
            (commands / command).write_text(f"#!/bin/sh\n{script.format(sent=sent)}\n")
            (commands / command).chmod(0o755)
        given = [f"{key}={value}" for key, value in config.items()]
        snakemake = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder]
        profile = ["--workflow-profile", ROOT / "profiles" / "slurm", "--config", *given]
        environment = os.environ | {"PATH": os.pathsep.join([str(commands), os.environ["PATH"]])}
        start = time.perf_counter()
        with (folder / "printed").open("w") as printed:
            process = subprocess.Popen([*snakemake, *profile], env=environment, stdout=printed, stderr=printed)
        while not sent.exists():
            if process.poll() is not None:
                sys.exit((folder / "printed").read_text()[-2000:])
            time.sleep(PAUSE)
        seconds = time.perf_counter() - start
        peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
        times = psutil.Process(process.pid).cpu_times()
        process.kill()
        process.wait()
        return len(jobs), seconds, times.user + times.system, int(peak[1]) / 1024


def put_inputs(plan: Plan, jobs: list[str], folder: Path) -> None:
    """Empty files in the place of all that trainings read."""
    for job in jobs:
        for files in plan.inputs.train(job).files.values():
            for file in [files] if isinstance(files, str) else files:
                if not plan.paths.place(file).committed:
                    (folder / file).parent.mkdir(parents=True, exist_ok=True)
                    (folder / file).touch()


if __name__ == "__main__":
    print("| trainings | seconds until the first is sent | of the processor | MB |\n|---|---|---|---|")
    for target, seeds in CASES.items():
        jobs, seconds, computed, peak = measure(target, seeds)
        print(f"| {jobs:,} | {seconds:.0f} | {computed:.0f} | {peak:.0f} |", flush=True)
