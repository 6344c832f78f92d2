from pathlib import Path

from papertables.backbones.catalog import backbones
from papertables.base.scripting import script
from papertables.data.catalog import File
from papertables.data.download import download

with script(snakemake.log[0]):
    path = Path(snakemake.output[0])
    entry = next(entry for entry in backbones().values() if entry.file == path.name)
    download(File(name=entry.file, urls=(entry.url,), sha256=entry.sha256), path.parent)
    entry.check(path)
