from pathlib import Path

from papertables.data.catalog import dataset
from papertables.data.download import fetch
from papertables.data.prepare import has_subset, prepare
from papertables.scripting import script

with script(snakemake.log[0]):
    name, raw = snakemake.wildcards.dataset, Path(snakemake.params.raw)
    if not has_subset(raw):
        fetch(dataset(name), raw)
    prepare(name, Path(snakemake.output.split).parent, raw, snakemake.params.seed)
