"""The store of runs: ``<run id>/metrics.json``, ``learner.safetensors`` and, of a run that maps labels,
``mappings.npz``. Only ever added to."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from papertables.base.errors import UserError
from papertables.base.files import read_yaml, write_atomic
from papertables.results.metrics import Fingerprint, Metrics, read_record
from papertables.specs.spec import RunSpec

if TYPE_CHECKING:
    from torch import Tensor

METRICS, LEARNER, MAPPINGS = "metrics.json", "learner.safetensors", "mappings.npz"
FOLDER_MEND = "delete the run's folder and run again"


class Store:
    """Runs below a folder. A run is there once its metrics are; they are written last."""

    def __init__(self, root: Path):
        self.root = root

    def write(self, metrics: Metrics, learner: bytes | None = None, mappings: bytes | None = None) -> None:
        """``learner``: a safetensors file; None where nothing was trained. ``mappings``: an npz file."""
        metrics = Metrics.model_validate(metrics.model_dump())
        folder = self.root / metrics.run
        if learner is not None:
            (folder / METRICS).unlink(missing_ok=True)
        for name, content in ((LEARNER, learner), (MAPPINGS, mappings)):
            if content is not None:
                write_atomic(folder / name, content)
        write_atomic(folder / METRICS, metrics.model_dump_json().encode() + b"\n")

    def read(self, run: str) -> Metrics | None:
        """None where there are no metrics, or none that are valid."""
        try:
            return self.record(run)
        except UserError:
            return None

    def record(self, run: str) -> Metrics:
        """Raises UserError, without a mend, where there are no metrics, or none that are valid and of this run."""
        path = self.root / run / METRICS
        try:
            found = read_record(path.read_text("utf-8", errors="replace"), str(path))
        except OSError as error:
            raise UserError(f"{path}: no record of a run ({error.strerror})") from None
        if found.run != run:
            raise UserError(f"{path}: no valid record of a run (it is of {found.run})")
        return found

    def unsound(self, runs: Iterable[str]) -> Iterator[str]:
        """The file of every record that is there but not valid, and why."""
        for run in runs:
            if (self.root / run / METRICS).exists():
                try:
                    self.record(run)
                except UserError as error:
                    yield str(error)

    def line(self, run: str) -> str:
        """The metrics as they lie in the store: one line of JSON."""
        return (self.root / run / METRICS).read_text("utf-8")

    def learner(self, run: str) -> Path:
        return self.root / run / LEARNER

    def state(self, run: str, when: Literal["best", "last"], mend: str = FOLDER_MEND) -> "dict[str, Tensor]":
        """The state of the kept learner after the best or the last epoch. Raises UserError with ``mend`` where there is
        none."""
        from safetensors.torch import load_file

        path = self.learner(run)
        try:
            states = load_file(path).items()
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"{path}: no trained learner ({reason}): {mend}") from None
        return {name.removeprefix(f"{when}."): value for name, value in states if name.startswith(f"{when}.")}

    def mappings(self, run: str) -> Path:
        return self.root / run / MAPPINGS

    def missing(
        self, specs: Sequence[RunSpec], fingerprints: Mapping[str, Fingerprint], retrain: str | None = None
    ) -> list[RunSpec]:
        """The runs without valid metrics or with another fingerprint, and those that ``retrain`` matches."""
        return [spec for spec in specs if not self._valid(spec, fingerprints[spec.id], retrain)]

    def _valid(self, spec: RunSpec, fingerprint: Fingerprint, retrain: str | None) -> bool:
        if retrain and fnmatchcase(spec.id, retrain):
            return False
        metrics = self.read(spec.id)
        return metrics is not None and metrics.is_of(spec) and same_numbers(metrics.fingerprint, fingerprint)


def same_numbers(recorded: Fingerprint, now: Fingerprint) -> bool:
    """Whether a run of the former has the numbers that one of the latter would have."""
    method, later = recorded.method, equivalents()
    while method != now.method and method in later:
        method = later[method]
    return recorded.model_copy(update={"method": method}) == now


@cache
def equivalents() -> dict[str, str]:
    """From a digest of method code to that of later code with the same numbers."""
    return read_yaml(Path(__file__).with_name("equivalents.yaml"))
