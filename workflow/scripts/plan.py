import sys
from pathlib import Path

from papertables.cost import table
from papertables.plan import make_plan
from papertables.scripting import script

terminal = sys.stdout
with script(snakemake.log[0]):
    print(table(make_plan(Path.cwd(), snakemake.config)), file=terminal, flush=True)
