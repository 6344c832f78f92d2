"""What goes wrong among the runs of a job: one fails, and the others go on."""

import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from papertables.base.errors import UserError
from papertables.specs.spec import RunSpec


class Failures:
    """The errors of runs that failed while the others of their job went on. by_run: by run id, the last."""

    def __init__(self):
        self.by_run: dict[str, Exception] = {}

    @contextmanager
    def noted(self, specs: Sequence[RunSpec]) -> Iterator[None]:
        """Notes an error of these runs, in the log as it came, instead of raising it."""
        for spec in specs:
            self.by_run.pop(spec.id, None)
        try:
            yield
        except Exception as error:
            print(error, file=sys.stderr) if isinstance(error, UserError) else traceback.print_exc()
            self.by_run |= dict.fromkeys((spec.id for spec in specs), error)

    def tell(self, wanted: Sequence[RunSpec]) -> None:
        """Raises what runs failed for, if some did: the error itself where all did for the same, else a UserError that
        counts them and names the first."""
        if not self.by_run:
            return
        run, error = next(iter(self.by_run.items()))
        if len(self.by_run) == len(wanted) and len(set(map(str, self.by_run.values()))) == 1:
            raise error
        kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
        why = f"{kind}{' '.join(str(error).split())}"
        raise UserError(f"{len(self.by_run)} of {len(wanted)} runs failed, the others are made and kept; {run}: {why}")
