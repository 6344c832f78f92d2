from pathlib import Path

from papertables.backbones import mini, mini_classifiers
from papertables.base.scripting import script

with script(snakemake.log[0]):
    name = snakemake.wildcards.backbone
    module = mini_classifiers if name in mini_classifiers.NAMES else mini
    module.pretrain(name, Path(snakemake.output.weights), **snakemake.params.steps)
