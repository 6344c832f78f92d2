from pathlib import Path

from papertables.base.scripting import script

with script(snakemake.log[0]):
    from papertables.backbones.catalog import backbones
    from papertables.data.download import download
    from papertables.data.transfer import Network

    path = Path(snakemake.output[0])
    entry = next(entry for entry in backbones().values() if entry.file == path.name)
    download(entry.published, path.parent, Network.of(snakemake.config))
    entry.check(path)
