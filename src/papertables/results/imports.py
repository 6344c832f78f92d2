"""What was made elsewhere and scored here, beside the runs that were made here."""

from pathlib import Path

from papertables.base.files import write_atomic
from papertables.base.seals import sealed_json
from papertables.results.metrics import Digest, Evaluation
from papertables.specs.spec import Model


class Imported(Model):
    """A checkpoint from elsewhere: the run that it is like, the name and the SHA-256 of its file, and its scores."""

    run: str
    file: str
    sha256: Digest
    evaluations: list[Evaluation]


def write_imported(folder: Path, found: Imported) -> Path:
    """Writes it below a folder, under the run's id and the name and digits of its file, for many have one name."""
    path = folder / found.run / f"{found.file}-{found.sha256[:10]}.json"
    write_atomic(path, sealed_json(found.model_dump_json(indent=1)))
    return path
