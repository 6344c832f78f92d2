from pathlib import Path

from papertables.base.scripting import script

with script(snakemake.log[0]):
    from papertables.artefacts.pdf import write_pdf

    write_pdf(Path(snakemake.input[0]), Path(snakemake.output[0]))
