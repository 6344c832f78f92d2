from pathlib import Path

from papertables.base.scripting import script

with script(snakemake.log[0]):
    from papertables.training.job import train_job

    given = snakemake.params
    train_job(given.job, given.training, Path(snakemake.output[0]), threads=snakemake.threads)
