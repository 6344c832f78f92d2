"""Takes what a language model answered into the project, by an explicit command: what is committed no rule writes."""

from pathlib import Path

from papertables.base.errors import UserError
from papertables.base.files import write_atomic
from papertables.planning.plan import Plan


def adopt(plan: Plan) -> list[str]:
    """Copies the files of ``source`` and their records to attributes/<source>; returns what is said of it."""
    source = plan.config.source
    if source is None:
        raise UserError("adopt: name whose answers: snakemake adopt --config source=own")
    made, folder = Path(plan.paths.asked(source)), plan.paths.committed / source
    files = sorted(made.glob("*.json"))
    if not files:
        raise UserError(f"{made} has no answers: make them first: snakemake generate --config sentences={source}")
    for file in files:
        write_atomic(folder / file.name, file.read_bytes())
    names = ", ".join(file.name for file in files if not file.name.endswith(".record.json"))
    return [
        f"{folder}: {names}",
        "They are input now, and asked for no more; commit them, or delete them to ask again.",
    ]
