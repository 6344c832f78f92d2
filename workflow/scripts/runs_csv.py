from pathlib import Path

from papertables.artefacts import collect
from papertables.planning.plan import make_plan
from papertables.scripting import root, script

with script(snakemake.log[0]):
    plan = make_plan(root(snakemake), snakemake.config)
    runs = [run for id in plan.selected for run in plan.artefacts[id].runs]
    metrics = collect.gather(runs, snakemake.input, Path(plan.paths.runs), plan.config.partial)
    collect.write_runs_csv(metrics, Path(snakemake.output[0]))
