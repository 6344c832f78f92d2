"""Tables and figures of four papers on visual reprogramming and prompt learning."""

import os
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

from papertables import NUMERICS
from papertables.backbones.catalog import backbone, backbones
from papertables.errors import UserError
from papertables.plan import make_plan
from papertables.spec import CacheKey

min_version("9.0")


configfile: "config.yaml"


report: "workflow/report/workflow.rst"


ROOT = Path(workflow.basedir)
os.environ.update(PYTHONPATH=str(ROOT / "src"))  # rules import the package, also in a conda environment

try:
    PLAN = make_plan(ROOT, config)
except UserError as error:
    raise WorkflowError(str(error))

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
