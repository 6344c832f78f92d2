from pathlib import Path

from papertables.base.scripting import script

with script(snakemake.log[0]):
    from papertables.artefacts import verdicts

    verdicts.write(verdicts.build(snakemake.params.claimed), Path(snakemake.output[0]).with_suffix(""))
