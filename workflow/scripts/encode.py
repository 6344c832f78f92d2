from pathlib import Path

from papertables.backbones.frozen_features import encode
from papertables.data.catalog import dataset
from papertables.planning.plan import make_plan
from papertables.scripting import root, script

with script(snakemake.log[0]):
    plan = make_plan(root(snakemake), snakemake.config)
    encode(
        Path(snakemake.input.split).parent,
        Path(snakemake.input.images),
        snakemake.wildcards.backbone,
        Path(snakemake.input.weights),
        [Path(file) for file in snakemake.input.sentences],
        dataset(snakemake.wildcards.dataset).template,
        Path(snakemake.output[0]),
        source_labels=snakemake.params.source_labels,
        device=plan.device,
        threads=snakemake.threads,
    )
