from pathlib import Path

from papertables.artefacts import collect, facts, render, tables
from papertables.planning.plan import make_plan
from papertables.scripting import root, script

with script(snakemake.log[0]):
    plan = make_plan(root(snakemake), snakemake.config)
    planned = plan.artefact_at(snakemake.wildcards.paper, snakemake.wildcards.name)
    published = Path(plan.paths.published(planned.paper.id))
    if planned.artefact.facts:
        table = facts.build(
            planned.artefact, planned.paper, published, plan.scale, plan.config, plan.searched_by(planned)
        )
    else:
        metrics = collect.gather(list(planned.runs), snakemake.input.jobs, Path(plan.paths.runs), plan.config.partial)
        table = tables.build(planned, metrics, published, plan.scale, plan.config)
    render.write(table, Path(snakemake.output.md).with_suffix(""))
