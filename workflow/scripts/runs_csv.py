from pathlib import Path

from papertables.artefacts import collect
from papertables.plan import make_plan
from papertables.scripting import root, script

with script(snakemake.log[0]):
    plan = make_plan(root(snakemake), snakemake.config)
    runs = [run for id in plan.selected for run in plan.artefacts[id].runs]
    if plan.config.partial:
        metrics = collect.read_store(Path(plan.paths.runs), runs)
    else:
        metrics = collect.read_jobs(snakemake.input)
    wanted = {run.id for run in runs}
    metrics = {id: each for id, each in metrics.items() if id in wanted}
    collect.write_runs_csv(metrics, Path(snakemake.output[0]))
