from pathlib import Path

from papertables.base.scripting import script
from papertables.results.store import Store
from papertables.training.inspect import inspect

with script(snakemake.log[0]):
    given = snakemake.params
    inspect(
        given.job,
        snakemake.wildcards.selection,
        Store(Path(given.store)),
        Path(snakemake.output[0]),
        given.device,
        snakemake.threads,
    )
