"""What every script of the workflow does around its one call: log to a file, end in one line on an error."""

import errno
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from papertables.base.errors import UserError

ERROR = "error: "  # begins the line that says why a job failed


def root(snakemake) -> Path:
    """The project's folder, of a script in workflow/scripts; not always the folder that Snakemake works in."""
    return Path(snakemake.scriptdir).resolve().parents[1]


def failure(rule: str, *logs: str) -> str:
    """Why a job failed: the line that ``script`` left in its log, or where else to look."""
    for log in map(Path, logs):
        lines = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
        reasons = [line.removeprefix(ERROR) for line in lines if line.startswith(ERROR)]
        if reasons:
            return f"{rule} failed: {reasons[-1]}"
    where = ", ".join(logs)
    return f"{rule} failed and left no reason, as when it is killed for want of memory: look above and at {where}"


@contextmanager
def script(log: str) -> Iterator[None]:
    """Sends output to ``log``. A UserError becomes one line on the terminal, any other error one line that names the
    log, where its traceback is; both exit with 1."""
    terminal = sys.stderr
    with open(log, "w", buffering=1, encoding="utf-8") as file:
        try:
            with redirect_stdout(file), redirect_stderr(file):
                yield
            return
        except UserError as error:
            message = str(error)
        except OSError as error:
            traceback.print_exc(file=file)
            full = "the disk is full: free some space and start again, what is finished is kept"
            message = full if error.errno == errno.ENOSPC else f"{error} (details in {log})"
        except Exception as error:
            traceback.print_exc(file=file)
            message = f"{type(error).__name__}: {' '.join(str(error).split())} (details in {log})"
        print(f"{ERROR}{message}", file=file)
    print(f"{ERROR}{message}", file=terminal, flush=True)
    sys.exit(1)
