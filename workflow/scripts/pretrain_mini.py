from pathlib import Path

from papertables.backbones.mini import pretrain
from papertables.scripting import script

with script(snakemake.log[0]):
    pretrain(snakemake.wildcards.backbone, Path(snakemake.output.weights), **snakemake.params.steps)
