from pathlib import Path

from papertables.backbones.catalog import backbones
from papertables.base.scripting import script
from papertables.data.download import download
from papertables.data.transfer import Network

with script(snakemake.log[0]):
    path = Path(snakemake.output[0])
    entry = next(entry for entry in backbones().values() if entry.file == path.name)
    download(entry.published, path.parent, Network.of(snakemake.config))
    entry.check(path)
