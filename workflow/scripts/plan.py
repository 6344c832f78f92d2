import sys

from papertables.cost import table
from papertables.plan import make_plan
from papertables.scripting import root, script

terminal = sys.stdout
with script(snakemake.log[0]):
    print(table(make_plan(root(snakemake), snakemake.config)), file=terminal, flush=True)
