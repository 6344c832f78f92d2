from pathlib import Path

from papertables.base.scripting import script

with script(snakemake.log[0]):
    from papertables.artefacts import collect

    planned = zip(snakemake.params.planned, snakemake.params.files, strict=True)
    metrics = {id: each for pair in planned for id, each in collect.gather(*pair).items()}
    collect.write_runs_csv(metrics, Path(snakemake.output[0]))
