from pathlib import Path

from papertables.attributes.asking.describe import describe
from papertables.base.scripting import script

with script(snakemake.log[0]):
    describe(snakemake.params.job, Path(snakemake.output.sentences))
