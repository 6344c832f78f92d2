from pathlib import Path

from papertables.artefacts import collect, figures
from papertables.planning.plan import make_plan
from papertables.scripting import root, script

with script(snakemake.log[0]):
    plan = make_plan(root(snakemake), snakemake.config)
    planned = plan.artefact_at(snakemake.wildcards.paper, snakemake.wildcards.name)
    metrics = collect.gather(list(planned.runs), snakemake.input.jobs, Path(plan.paths.runs), plan.config.partial)
    embedded = {run.id: plan.paths.embedded(run.id, planned.selection) for run in plan.embedded_runs(planned)}
    figures.write(
        planned,
        metrics,
        Path(snakemake.output.png).with_suffix(""),
        runs=Path(plan.paths.runs),
        embedded={run: Path(path) for run, path in embedded.items()},
        searches=plan.searched_by(planned),
        published_folder=Path(plan.paths.published(planned.paper.id)),
        scale=plan.scale,
        config=plan.config,
    )
