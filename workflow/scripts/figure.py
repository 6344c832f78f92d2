from pathlib import Path

from papertables.artefacts import collect, figures
from papertables.base.scripting import script

with script(snakemake.log[0]):
    planned, files = snakemake.params.planned, snakemake.params.files
    figures.write(planned, collect.gather(planned, files), files, Path(snakemake.output.png).with_suffix(""))
