from pathlib import Path

from papertables.base.scripting import script

with script(snakemake.log[0]):
    from papertables.artefacts import collect

    pairs = snakemake.params.listed.artefacts
    metrics = {id: each for pair in pairs for id, each in collect.gather(*pair).items()}
    collect.write_runs_csv(metrics, Path(snakemake.output[0]))
