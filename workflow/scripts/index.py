from pathlib import Path

from papertables.base.scripting import script

with script(snakemake.log[0]):
    from papertables.artefacts import collect
    from papertables.artefacts.index import Results, write_pages

    given = snakemake.params
    results = Results(
        artefacts=[Path(file) for file in snakemake.input.artefacts],
        planned=[planned for planned, _ in given.listed.artefacts],
        metrics={id: each for pair in given.listed.artefacts for id, each in collect.gather(*pair).items()},
        logs={run: Path(file) for run, file in given.logs.items()},
    )
    write_pages(Path(snakemake.output.index).parent, results, given.scale, given.configuration)
