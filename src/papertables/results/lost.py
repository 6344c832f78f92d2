"""Whether runs that a job made are gone, without reading one: a job's file stays when the folder of a run is deleted.

Beside a job's file lies a note of what set the job off the last time that some were. It is no output of the rule, which
would delete it before the rule runs again.
"""

from collections.abc import Sequence
from pathlib import Path

from papertables.base.files import write_atomic
from papertables.results.store import Store
from papertables.specs.spec import RunSpec, digest


def state(store: Store, job: Path, specs: Sequence[RunSpec]) -> str | None:
    """What sets the rule off: another text once a record or a learner is gone, and the same for as long as none is.
    None where none ever was."""
    noted = _note(job).read_text("utf-8") if _note(job).exists() else None
    gone = store.lost(specs) if job.exists() else []
    return digest([noted, *map(str, gone)]) if gone else noted


def note(job: Path, told: str | None) -> None:
    """Writes down what ``state`` told when the job was planned."""
    if told:
        write_atomic(_note(job), told.encode())


def _note(job: Path) -> Path:
    return job.with_suffix(".lost")
