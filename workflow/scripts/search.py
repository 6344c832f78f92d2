from pathlib import Path

from papertables.attributes.bases import with_bases
from papertables.base.scripting import script
from papertables.training.search import search

with script(snakemake.log[0]):
    given = snakemake.params
    search(with_bases(given.job), Path(snakemake.output[0]), given.device, snakemake.threads)
