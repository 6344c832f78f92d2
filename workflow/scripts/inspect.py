from pathlib import Path

from papertables.base.scripting import script

with script(snakemake.log[0]):
    from papertables.results.store import Store
    from papertables.training.inspect import inspect

    given = snakemake.params
    inspect(
        given.job,
        snakemake.wildcards.selection,
        Store(Path(given.store)),
        Path(snakemake.output[0]),
        given.device,
        snakemake.threads,
    )
