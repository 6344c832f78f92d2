from pathlib import Path

from papertables.planning.plan import make_plan
from papertables.scripting import root, script
from papertables.training.inspect import embed

with script(snakemake.log[0]):
    plan = make_plan(root(snakemake), snakemake.config)
    wildcards, files = snakemake.wildcards, snakemake.input
    spec = plan.run(f"{wildcards.dataset}/{wildcards.backbone}/{wildcards.run}")
    embed(
        spec,
        runs=Path(plan.paths.runs),
        dataset=Path(files.split).parent,
        cache_plain=Path(files.plain),
        cache_own=Path(files.own),
        encoded=Path(files.encoded),
        attributes=tuple(Path(file) for file in files.sentences) or None,
        weights=Path(files.weights),
        out=Path(snakemake.output[0]),
        selection=wildcards.selection,
        device=plan.device,
        threads=snakemake.threads,
    )
