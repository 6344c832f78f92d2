"""Seconds to import the plan, to plan each scale, and to dry-run it with Snakemake.

python benchmarks/startup.py
"""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
IMPORT_PLAN = "import papertables.planning.plan"
MAKE_PLAN = (
    "import yaml; from pathlib import Path; from papertables.planning.plan import make_plan; "
    "make_plan(Path('.').resolve(), yaml.safe_load(open('config.yaml')) | {{'scale': '{scale}'}})"
)
IMPORT_TOWERS = "import papertables.backbones.clip"
IN_A_JOB = f"from papertables.base.compiler import leave_unloaded; leave_unloaded(); {IMPORT_TOWERS}"


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - began


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def dry_run(scale: str) -> list[str]:
    configuration = ["--config", f"scale={scale}", "artefacts=all"]
    return [sys.executable, "-m", "snakemake", "--dry-run", "--forceall", "--quiet", *configuration]


def main() -> None:
    commands = {
        "an empty Python": python("pass"),
        "import the plan": python(IMPORT_PLAN),
        "import towers, with torch and open_clip": python(IMPORT_TOWERS),
        "the same in a job, which compiles nothing": python(IN_A_JOB),
        "plan the mini scale": python(MAKE_PLAN.format(scale="mini")),
        "plan the paper scale": python(MAKE_PLAN.format(scale="paper")),
        "dry run, mini scale, all artefacts": dry_run("mini"),
        "dry run, paper scale, all artefacts": dry_run("paper"),
    }
    for name, command in commands.items():
        print(f"{name:42} {min(seconds(command) for _ in range(3)):6.2f} s", flush=True)


if __name__ == "__main__":
    main()
