from pathlib import Path

from papertables.base.scripting import script

with script(snakemake.log[0]):
    from papertables.artefacts.index import write_index

    artefacts, given = [Path(file) for file in snakemake.input.artefacts], snakemake.params
    write_index(Path(snakemake.output[0]), artefacts, Path(snakemake.input.runs), given.scale, given.configuration)
