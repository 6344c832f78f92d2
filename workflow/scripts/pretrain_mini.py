from pathlib import Path

from papertables.base.scripting import script

with script(snakemake.log[0]):
    from papertables.backbones import mini, mini_classifiers

    name = snakemake.wildcards.backbone
    module = mini_classifiers if name in mini_classifiers.NAMES else mini
    module.pretrain(name, Path(snakemake.output.weights), **snakemake.params.steps)
