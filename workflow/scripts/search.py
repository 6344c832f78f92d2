from pathlib import Path

from papertables.base.scripting import script

with script(snakemake.log[0]):
    from papertables.attributes.bases import with_bases
    from papertables.training.search import search

    given = snakemake.params
    search(with_bases(given.job), Path(snakemake.output[0]), given.device, snakemake.threads)
