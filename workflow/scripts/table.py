from pathlib import Path

from papertables.artefacts import collect, render, tables
from papertables.plan import make_plan
from papertables.scripting import root, script

with script(snakemake.log[0]):
    plan = make_plan(root(snakemake), snakemake.config)
    planned = plan.artefact_at(snakemake.wildcards.paper, snakemake.wildcards.name)
    metrics = collect.gather(list(planned.runs), snakemake.input.jobs, Path(plan.paths.runs), plan.config.partial)
    published = Path(plan.paths.published(planned.paper.id))
    table = tables.build(planned, metrics, published, plan.scale, plan.config)
    render.write(table, Path(snakemake.output.md).with_suffix(""))
