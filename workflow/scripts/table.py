from pathlib import Path

from papertables.base.scripting import script

with script(snakemake.log[0]):
    from papertables.artefacts import collect, computed, render, tables
    from papertables.artefacts.subsets import read_subsets
    from papertables.artefacts.unverified import unverified_notes

    planned, files = snakemake.params.planned, snakemake.params.files
    metrics = collect.gather(planned, files)
    if planned.artefact.computed:
        table = computed.build(planned, files, metrics)
    else:
        subsets = read_subsets(files.manifests)
        unverified = unverified_notes(planned, files.manifests)
        table = tables.build(planned, metrics, Path(files.published_folder), subsets, unverified)
    render.write(table, Path(snakemake.output.md).with_suffix(""))
