"""What every script of the workflow does around its one call: log to a file, end in one line on an error.

A script imports what it calls inside, so that an import that fails, or takes long, is told in the same way.
"""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from shutil import disk_usage
from typing import TextIO

from papertables.base import compiler
from papertables.base.errors import UserError
from papertables.base.files import FULL, GO_ON
from papertables.base.stopping import STOPPED, Stopped, stoppable

BLOCK = 4096  # bytes; a disk with less left is full
ERROR = "error: "  # begins the line that says why a job failed
ENDED = "stopped: "  # begins that of a job that was asked to end


def root(snakemake) -> Path:
    """The project's folder, of a script in workflow/scripts; not always the folder that Snakemake works in."""
    return Path(snakemake.scriptdir).resolve().parents[1]


def failure(rule: str, *logs: str) -> str:
    """Why a job failed: the line that ``script`` left in its log, or where else to look."""
    for log in map(Path, logs):
        lines = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
        for line in reversed(lines):
            for start, what in ((ERROR, "failed"), (ENDED, "was stopped")):
                if line.startswith(start):
                    return f"{rule} {what}: {line.removeprefix(start)}"
    full = any(disk_usage(log.parent).free < BLOCK for log in map(Path, logs) if log.parent.exists())
    why = "for the disk is full" if full else "as when it is killed for want of memory"
    return f"{rule} failed and left no reason, {why}: look above and at {', '.join(logs)}"


@contextmanager
def script(log: str) -> Iterator[None]:
    """Sends output to ``log``. A UserError becomes one line on the terminal, any other error one line that names the
    log, where its traceback is; both exit with 1. So does a job that is asked to end, with a status of its own. The
    terminal is told first, for the log may lie on a full disk."""
    terminal, trace, status = sys.stderr, "", 1
    compiler.leave_unloaded()
    try:
        with _opened(log) as file, redirect_stdout(file), redirect_stderr(file), stoppable():
            yield
        return
    except UserError as error:
        message = f"{ERROR}{error}"
    except Stopped as stopped:
        message, status = f"{ENDED}{stopped}; what is finished is kept, the same command goes on from there", STOPPED
    except Exception as error:
        message, trace = f"{ERROR}{_message(error, log)}", traceback.format_exc()
    print(message, file=terminal, flush=True)
    with suppress(OSError), open(log, "a", encoding="utf-8") as file:
        file.write(f"{trace}{message}\n")
    sys.exit(status)


@contextmanager
def _opened(log: str) -> Iterator[TextIO]:
    """The log, which takes a line at a time; lines that find no room when it is closed are given up."""
    file = open(log, "w", buffering=1, encoding="utf-8")  # noqa: SIM115 closed below
    try:
        yield file
    finally:
        with suppress(OSError):
            file.close()


def _message(error: Exception, log: str) -> str:
    if isinstance(error, OSError) and error.errno in FULL:
        return f"{FULL[error.errno]}{GO_ON}"
    kind = "" if isinstance(error, OSError) else f"{type(error).__name__}: "
    return f"{kind}{' '.join(str(error).split())} (details in {log})"
