"""Processor seconds and memory to plan the paper scale with 1, 2, 4, … times its seeds, until 100,000 runs.

python benchmarks/planning.py [most runs]

plan: what stands before Snakemake; report: what `plan` prints; rules: input and parameters of every training and
artefact, as Snakemake asks for them; dry run: all of that with Snakemake's own work, up to 15,000 runs.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
DRY_RUN = 15_000  # runs
HEADER = ("seeds", "runs", "jobs", "plan", "report", "rules", "memory", "dry run", "memory")


def measure(seeds: int) -> dict[str, float]:
    """Of this process, which does nothing else."""
    from papertables.planning.plan import make_plan
    from papertables.planning.report import text

    config = yaml.safe_load((ROOT / "config.yaml").read_text()) | configuration(seeds)
    clock, began = {}, time.process_time()

    def note(name: str) -> None:
        nonlocal began
        clock[name], began = time.process_time() - began, time.process_time()

    plan = make_plan(ROOT, config)
    note("plan")
    text(plan, plan.selected)
    note("report")
    for job in plan.jobs.values():
        assert plan.inputs.train(job.id).files and plan.signatures.train(job) and plan.priority(job.id) >= 0
        for key in job.caches:
            plan.inputs.draws(job.dataset, key)
    for planned in plan.artefacts.values():
        assert plan.inputs.artefact(planned).files and plan.signatures.artefact(planned)
    note("rules")
    return {"runs": len(plan.job_of), "jobs": len(plan.jobs), **clock, "memory": peak(resource.RUSAGE_SELF)}


def configuration(seeds: int) -> dict:
    return {"scale": "paper", "artefacts": "all", "seeds": list(range(1, seeds + 1))}


def dry_run(seeds: int) -> tuple[float, float]:
    """Processor seconds and megabytes."""
    options = [f"{key}={json.dumps(value)}" for key, value in configuration(seeds).items()]
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--forceall", "--quiet", "--config", *options]
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before, peak(resource.RUSAGE_CHILDREN)


def peak(who: int) -> float:
    return resource.getrusage(who).ru_maxrss / 1024


def main(most: int) -> None:
    print("".join(f"{name:>10}" for name in HEADER))
    seeds, runs = 3, 0
    while runs < most:
        process = [sys.executable, __file__, "--seeds", str(seeds)]
        found = json.loads(subprocess.run(process, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
        runs = found["runs"]
        cells = [f"{seeds}", f"{runs:,}", f"{found['jobs']:,}", *(f"{found[key]:.1f} s" for key in HEADER[3:6])]
        cells.append(f"{found['memory']:.0f} MB")
        if runs <= DRY_RUN:
            seconds, memory = dry_run(seeds)
            cells += [f"{seconds:.1f} s", f"{memory:.0f} MB"]
        print("".join(f"{cell:>10}" for cell in cells), flush=True)
        seeds *= 2


if __name__ == "__main__":
    if "--seeds" in sys.argv:
        print(json.dumps(measure(int(sys.argv[-1]))))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
