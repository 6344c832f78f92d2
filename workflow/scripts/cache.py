from pathlib import Path

from papertables.base.scripting import script

with script(snakemake.log[0]):
    from papertables.data.cache import build

    build(
        Path(snakemake.input.split).parent,
        part=snakemake.wildcards.part,
        size=int(snakemake.wildcards.size),
        fit=snakemake.wildcards.fit,
        draws=snakemake.params.draws,
        out=Path(snakemake.output[0]),
    )
