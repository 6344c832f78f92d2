"""The store of runs: ``<run id>/metrics.json``, ``learner.safetensors`` of a run that was trained and, of one that maps
labels, ``mappings.npz``. Only ever added to."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from papertables.base.errors import UserError
from papertables.base.files import read_yaml, write_atomic
from papertables.base.seals import Damaged, check_tensors, check_zip, sealed_json, sealed_tensors
from papertables.results.format import tell_format
from papertables.results.metrics import Fingerprint, Metrics, read_record
from papertables.specs.spec import FORMER_TESTS, LEARNER, METRICS, RunSpec

if TYPE_CHECKING:
    from torch import Tensor

MAPPINGS = "mappings.npz"


class Store:
    """Runs below a folder. A run is there once its metrics are; they are written last."""

    def __init__(self, root: Path):
        self.root = root

    def write(self, metrics: Metrics, learner: bytes | None = None, mappings: bytes | None = None) -> None:
        """``learner``: a safetensors file; None where nothing was trained. ``mappings``: an npz file."""
        metrics = Metrics.model_validate(metrics.model_dump())
        folder = self.root / metrics.run
        tell_format(self.root)
        if learner is not None:
            (folder / METRICS).unlink(missing_ok=True)
        if learner is not None:
            write_atomic(folder / LEARNER, sealed_tensors(learner))
        if mappings is not None:
            write_atomic(folder / MAPPINGS, mappings)
        write_atomic(folder / METRICS, sealed_json(metrics.model_dump_json()))

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

    def unsound(self, specs: Iterable[RunSpec]) -> Iterator[str]:
        """Of every run that has a record, the first file that is not valid or not there, and why."""
        for spec in specs:
            if (self.root / spec.id / METRICS).exists():
                try:
                    self.record(spec.id)
                    self._check_kept(spec)
                except Damaged as error:
                    yield error.found
                except UserError as error:
                    yield str(error)

    def _check_kept(self, spec: RunSpec) -> None:
        """Raises UserError where a run was trained and its learner is not there, or where what it keeps is damaged."""
        if spec.training:
            self.checked_learner(spec.id)
        if self.mappings(spec.id).exists():
            check_zip(self.mappings(spec.id))

    def checked_learner(self, run: str) -> Path:
        """Raises UserError where it is damaged or not there."""
        path = self.learner(run)
        try:
            check_tensors(path)
        except FileNotFoundError:
            raise Damaged(path, "it is gone", mend="run again") from None
        return path

    def line(self, run: str) -> str:
        """The metrics as they lie in the store: one line of JSON."""
        return (self.root / run / METRICS).read_text("utf-8")

    def learner(self, run: str) -> Path:
        return self.root / run / LEARNER

    def state(self, run: str, when: Literal["best", "last"]) -> "dict[str, Tensor]":
        """The state of the kept learner after the best or the last epoch. Raises UserError where there is none."""
        from safetensors.torch import load_file

        path = self.checked_learner(run)
        try:
            states = load_file(path).items()
        except Exception as error:
            raise Damaged(path, error) from None
        return {name.removeprefix(f"{when}."): value for name, value in states if name.startswith(f"{when}.")}

    def mappings(self, run: str) -> Path:
        return self.root / run / MAPPINGS

    def take_over(self, specs: Iterable[RunSpec]) -> None:
        """Gives runs from when ids told how often they were tested the ids that they have now."""
        for spec in specs:
            folder = self.root / spec.id
            if not spec.training or folder.exists():
                continue
            former = (self.root / spec.former_id(every) for every in FORMER_TESTS)  # most tests first
            found = next((each for each in former if each.exists()), None)
            if found:
                found.rename(folder)

    def missing(
        self,
        specs: Sequence[RunSpec],
        fingerprints: Mapping[str, Fingerprint],
        retrain: str | None = None,
        tests: Mapping[str, int] | None = None,
    ) -> list[RunSpec]:
        """The runs without valid metrics, without their learner or with another fingerprint, and those that ``retrain``
        matches. tests: by run id, the epochs between those without which a run is missing as well (``tested``)."""
        every = tests or {}
        return [spec for spec in specs if not self._valid(spec, fingerprints[spec.id], every.get(spec.id, 0), retrain)]

    def _valid(self, spec: RunSpec, fingerprint: Fingerprint, every: int, retrain: str | None) -> bool:
        if retrain and fnmatchcase(spec.id, retrain):
            return False
        try:
            metrics = self.record(spec.id)
            self._check_kept(spec)
        except UserError:
            return False
        return metrics.is_of(spec) and metrics.has_tests(every) and same_numbers(metrics.fingerprint, fingerprint)


def same_numbers(recorded: Fingerprint, now: Fingerprint) -> bool:
    """Whether a run of the former has the numbers that one of the latter would have."""
    method, later = recorded.method, equivalents()
    while method != now.method and method in later:
        method = later[method]
    asked = now if recorded.passes else now.model_copy(update={"passes": None})  # published passes serve for fast ones
    return recorded.model_copy(update={"method": method}) == asked


@cache
def equivalents() -> dict[str, str]:
    """From a digest of method code to that of later code with the same numbers."""
    return read_yaml(Path(__file__).with_name("equivalents.yaml"))
