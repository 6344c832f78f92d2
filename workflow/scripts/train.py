from pathlib import Path

from papertables.base.scripting import script

with script(snakemake.log[0]):
    from papertables.results import lost
    from papertables.training.job import train_job

    given, output = snakemake.params, Path(snakemake.output[0])
    train_job(given.job, given.training, output, threads=snakemake.threads)
    lost.note(output, given.lost)
