from pathlib import Path

from papertables.base.scripting import script

with script(snakemake.log[0]):
    from papertables.artefacts import collect, figures

    planned, files = snakemake.params.planned, snakemake.params.files
    figures.write(planned, collect.gather(planned, files), files, Path(snakemake.output.png).with_suffix(""))
