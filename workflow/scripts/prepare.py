from pathlib import Path

from papertables.attributes.catalog import attribute_sources
from papertables.attributes.names import check_names
from papertables.data.catalog import dataset
from papertables.data.download import fetch
from papertables.data.prepare import has_subset, prepare
from papertables.planning.plan import make_plan
from papertables.scripting import root, script

with script(snakemake.log[0]):
    name, raw, split = snakemake.wildcards.dataset, Path(snakemake.params.raw), Path(snakemake.output.split)
    if not has_subset(raw):
        fetch(dataset(name), raw)
    prepare(name, split.parent, raw, snakemake.params.seed)
    paths = make_plan(root(snakemake), snakemake.config).paths
    check_names(split, (Path(file) for source in attribute_sources() for file in paths.attributes(source, name)))
