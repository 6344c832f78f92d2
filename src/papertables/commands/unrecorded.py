"""Whether Snakemake knows how the files were made that a command asks for: what came from another folder without its
records is taken as it is, whatever has changed since."""

from base64 import urlsafe_b64encode
from collections.abc import Iterable
from pathlib import Path

from papertables.planning.plan import Plan

RECORDS = Path(".snakemake", "metadata")  # a file for each that a job made, by its name
LONGEST = 200  # characters of a name that is looked for: a longer one is a path of several parts


def unrecorded(plan: Plan, artefacts: Iterable[str]) -> str | None:
    """What is to be said where any of what artefacts are made of is there without a record."""
    made = filter(_without_record, [*plan.inputs.jobs(*artefacts), *plan.files(artefacts)])
    if (first := next(made, None)) is None:
        return None
    return (
        f"{first} and {sum(1 for _ in made):,} others are there without {RECORDS}/, by which Snakemake sees what has "
        "changed since: copy that folder from where they were made, or add once --forcerun train table figure judge "
        "runs_csv index (finished runs are kept)"
    )


def _without_record(file: str) -> bool:
    name = urlsafe_b64encode(file.encode()).decode()
    return len(name) <= LONGEST and Path(file).exists() and not (RECORDS / name).exists()
