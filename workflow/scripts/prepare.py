from pathlib import Path

from papertables.base.scripting import script

with script(snakemake.log[0]):
    from papertables.attributes.names import check_names
    from papertables.data.ready import make_ready
    from papertables.data.transfer import Network

    split, given = Path(snakemake.output.split), snakemake.params
    network = Network.of(snakemake.config)
    make_ready(snakemake.wildcards.dataset, split.parent, Path(given.raw), given.seed, network, given.found)
    check_names(split, map(Path, given.named.sentences))
