from pathlib import Path

from papertables.artefacts import collect, computed, render, tables
from papertables.scripting import script

with script(snakemake.log[0]):
    planned, files = snakemake.params.planned, snakemake.params.files
    if planned.artefact.computed:
        table = computed.build(planned, files)
    else:
        table = tables.build(planned, collect.gather(planned, files), Path(files.published_folder))
    render.write(table, Path(snakemake.output.md).with_suffix(""))
