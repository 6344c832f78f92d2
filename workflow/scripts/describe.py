from pathlib import Path

from papertables.base.scripting import script

with script(snakemake.log[0]):
    from papertables.attributes.asking.describe import describe

    describe(snakemake.params.job, Path(snakemake.output.sentences))
