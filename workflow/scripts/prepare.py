from pathlib import Path

from papertables.attributes.names import check_names
from papertables.base.scripting import script
from papertables.data import raw as raw_folder
from papertables.data.catalog import dataset
from papertables.data.download import fetch
from papertables.data.prepare import has_subset, prepare

with script(snakemake.log[0]):
    name, given = snakemake.wildcards.dataset, snakemake.params
    raw, split = Path(given.raw), Path(snakemake.output.split)
    if not has_subset(raw):
        fetch(dataset(name), raw)
    found = raw_folder.stamps(raw)  # before it is read: what changes meanwhile is noticed next time
    prepare(name, split.parent, raw, given.seed)
    raw_folder.note(split.parent, found, given.found)
    check_names(split, map(Path, given.named.sentences))
