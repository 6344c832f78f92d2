from pathlib import Path

from papertables.base.scripting import script

with script(snakemake.log[0]):
    from papertables.backbones.frozen_features import make_frozen_features

    given = snakemake.params
    make_frozen_features(given.job, Path(snakemake.output[0]), given.device, snakemake.threads)
