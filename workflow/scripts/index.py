from pathlib import Path

from papertables.artefacts.index import write_index
from papertables.planning.plan import make_plan
from papertables.scripting import root, script

with script(snakemake.log[0]):
    plan = make_plan(root(snakemake), snakemake.config)
    artefacts = [Path(file) for file in snakemake.input.artefacts]
    write_index(Path(snakemake.output[0]), artefacts, Path(snakemake.input.runs), plan.scale, plan.config)
