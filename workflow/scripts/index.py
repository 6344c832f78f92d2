from pathlib import Path

from papertables.base.scripting import script

with script(snakemake.log[0]):
    from papertables.artefacts.index import write_pages
    from papertables.artefacts.run_pages import gathered

    given = snakemake.params
    results = gathered(snakemake.input.artefacts, given.listed.artefacts, given.logs)
    write_pages(Path(snakemake.output.index).parent, results, given.scale, given.configuration)
