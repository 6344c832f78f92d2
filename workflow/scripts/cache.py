from pathlib import Path

from papertables.base.scripting import script
from papertables.data.cache import build

with script(snakemake.log[0]):
    build(
        Path(snakemake.input.split).parent,
        part=snakemake.wildcards.part,
        size=int(snakemake.wildcards.size),
        fit=snakemake.wildcards.fit,
        draws=snakemake.params.draws,
        out=Path(snakemake.output[0]),
    )
