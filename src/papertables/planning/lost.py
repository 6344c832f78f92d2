"""Whether runs that a job made are gone, without reading one: a job's file stays when the folder of a run is deleted.

Beside the file of a job that ended lies a note of what set the job off the last time that some were; empty where none
ever was. It is no output of the rule, which would delete it before the rule runs again: so a job that has begun, whose
file is deleted already, is told the same as when it was planned.
"""

from collections.abc import Sequence
from pathlib import Path

from papertables.base.files import write_atomic
from papertables.specs.spec import RunSpec, digest


def gone(store: Path, specs: Sequence[RunSpec]) -> list[Path]:
    """The files that runs leave and that are not in the store."""
    paths = (store / spec.id / name for spec in specs for name in spec.leaves)
    return [path for path in paths if not path.exists()]


def state(store: Path, job: Path, specs: Sequence[RunSpec]) -> str | None:
    """What sets the rule off: another text once a record or a learner is gone, and the same for as long as none is.
    None where none ever was."""
    ended = _note(job).exists()
    noted = _note(job).read_text("utf-8", errors="replace") if ended else ""
    missing = gone(store, specs) if ended or job.exists() else []
    return digest([noted, *map(str, missing)]) if missing else noted or None


def note(job: Path, told: str | None) -> None:
    """Writes down what ``state`` told when the job was planned, once it has ended."""
    write_atomic(_note(job), (told or "").encode())


def _note(job: Path) -> Path:
    return job.with_suffix(".note")
