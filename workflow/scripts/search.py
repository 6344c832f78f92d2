from pathlib import Path

from papertables.planning.plan import make_plan
from papertables.scripting import root, script
from papertables.training.search import search

with script(snakemake.log[0]):
    plan, wildcards, files = make_plan(root(snakemake), snakemake.config), snakemake.wildcards, snakemake.input
    search(
        plan.search(wildcards.dataset, wildcards.backbone, wildcards.search),
        Path(files.split).parent,
        Path(files.train),
        Path(files.val),
        Path(files.weights),
        Path(snakemake.output[0]),
        device=plan.device,
        threads=snakemake.threads,
    )
