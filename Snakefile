"""Tables and figures of four papers on visual reprogramming and prompt learning."""

import gc
import os
import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.17.0")  # the first that brings pydantic, which a plan needs

ROOT = Path(str(workflow.current_basedir))  # also as a module of another workflow
SOURCE = str(ROOT / "src")
sys.path.insert(0, SOURCE)

from papertables import NUMERICS
from papertables.backbones.catalog import backbone, backbones
from papertables.base.errors import UserError
from papertables.base.scripting import failure
from papertables.base.stopping import PIPELINE
from papertables.commands.front_door import enter
from papertables.commands.progress import follow
from papertables.commands.scheduling import look_once_at_a_time
from papertables.commands.snakemake_command import snakemake_command
from papertables.commands.so_far import show_so_far
from papertables.data.near import FOLDER as NEAR
from papertables.planning.asking import asked
from papertables.planning.downloads import fetched_files
from papertables.planning.plan import make_plan
from papertables.planning.resources import (
    HOUR,
    cache_seconds,
    inspect_seconds,
    memory_mb,
    minutes,
    search_seconds,
    train_seconds,
)
from papertables.planning.targets import CONFIGURED, left_behind
from papertables.specs.spec import CacheKey
from papertables.specs.validation import read_keys

os.environ.update(PYTHONPATH=os.pathsep.join(filter(None, [SOURCE, os.environ.get("PYTHONPATH")])))  # of the jobs
if workflow.modifier.is_main_snakefile():  # what the pins in envs/ bring with them is pinned too
    os.environ.setdefault("PIP_CONSTRAINT", (ROOT / "requirements.lock").as_uri())
os.environ.update({PIPELINE: str(os.getpid())})

try:
    read_keys(ROOT / "config.yaml")  # Snakemake would take a key that stands twice
except UserError as error:
    sys.exit(f"error: {error}")


configfile: ROOT / "config.yaml"


report: "workflow/report/workflow.rst"


try:
    PLAN = make_plan(ROOT, config)
    if workflow.is_main_process and workflow.modifier.is_main_snakefile():
        command = snakemake_command()
        enter(PLAN, command)
        if command and command.runs:
            follow(PLAN, workflow)
            look_once_at_a_time()
except UserError as error:
    sys.exit(f"error: {error}")

if PLAN.config.cache_dir:
    os.environ.update({NEAR: PLAN.config.cache_dir})

gc.freeze()  # the plan stays: Snakemake's many objects would have it gone through again and again
PATHS = PLAN.paths


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/backbones.smk"
include: "workflow/rules/attributes.smk"
include: "workflow/rules/search.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/artefacts.smk"


rule configured:
    default_target: True
    input:
        PLAN.files(PLAN.selected),
        PATHS.runs_csv,
        PATHS.index,
        PLAN.verdicts,
        [PATHS.broken(id) for id in left_behind(PLAN, [CONFIGURED])],


for artefact_id in PLAN.artefacts:

    rule:
        name:
            artefact_id
        input:
            PLAN.files([artefact_id]),


for paper_id in PLAN.project.papers:

    rule:
        name:
            paper_id
        input:
            PLAN.files(id for id, planned in PLAN.artefacts.items() if planned.paper.id == paper_id),
            [PATHS.broken(id) for id in left_behind(PLAN, [paper_id])],


if PLAN.broken:

    rule broken:
        output:
            PATHS.broken("{artefact}"),
        log:
            f"{LOGS}/broken/{{artefact}}.log",
        params:
            reason=lambda w: str(PLAN.broken[w.artefact]),
        shell:
            "echo error: {params.reason:q} > {log}; exit 1"


onerror:
    for job in sorted(workflow.scheduler.failed, key=str):
        print(failure(job.rule.name, *job.log), file=sys.stderr)
    if workflow.scheduler.failed and (told := show_so_far(PLAN, workflow.dag, training_logs())):
        print(told, file=sys.stderr)
