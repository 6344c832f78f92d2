from pathlib import Path

from papertables.backbones.frozen_features import make_frozen_features
from papertables.base.scripting import script

with script(snakemake.log[0]):
    given = snakemake.params
    make_frozen_features(given.job, Path(snakemake.output[0]), given.device, snakemake.threads)
