from pathlib import Path

from papertables.artefacts import collect, render, tables
from papertables.plan import make_plan
from papertables.scripting import root, script

with script(snakemake.log[0]):
    plan = make_plan(root(snakemake), snakemake.config)
    planned = plan.artefact_at(snakemake.wildcards.paper, snakemake.wildcards.name)
    if plan.config.partial:
        metrics = collect.read_store(Path(plan.paths.runs), planned.runs)
    else:
        metrics = collect.read_jobs(snakemake.input.jobs)
    published = Path(plan.paths.published(planned.paper.id))
    table = tables.build(planned, metrics, published, plan.scale, plan.config)
    render.write(table, Path(snakemake.output.md).with_suffix(""))
