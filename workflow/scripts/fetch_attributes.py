from pathlib import Path

from papertables.base.scripting import script

with script(snakemake.log[0]):
    from papertables.attributes.catalog import attribute_source, published_file
    from papertables.attributes.names import check_names
    from papertables.data.catalog import File
    from papertables.data.download import download
    from papertables.data.transfer import Network

    wildcards, path = snakemake.wildcards, Path(snakemake.output[0])
    entry = published_file(wildcards.source, wildcards.dataset, wildcards.kind)
    url = f"{attribute_source(wildcards.source).url}/{entry.file}"
    download(File(name=path.name, urls=(url,), sha256=entry.sha256), path.parent, Network.of(snakemake.config))
    check_names(Path(snakemake.params.named.split), [path])
