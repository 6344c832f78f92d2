from pathlib import Path

from papertables.base.scripting import script

with script(snakemake.log[0]):
    from papertables.results.store import Store
    from papertables.training.teacher import make_class_vectors

    given = snakemake.params
    make_class_vectors(given.job, Store(Path(given.store)), Path(snakemake.output[0]), given.device, snakemake.threads)
