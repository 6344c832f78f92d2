from pathlib import Path

from papertables.base.scripting import script

with script(snakemake.log[0]):
    from papertables.attributes.asking.name_bases import name_bases

    name_bases(snakemake.params.job, Path(snakemake.output.bases))
