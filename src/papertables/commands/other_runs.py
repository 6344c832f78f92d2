"""Whether another run of Snakemake holds the files that a command would make."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import psutil

from papertables.base.errors import UserError
from papertables.planning.plan import Plan

LOCKS = Path(".snakemake", "locks")  # a line for each file that a run reads, or makes


def check_alone(plan: Plan, artefacts: Iterable[str]) -> None:
    """Raises UserError, with the mend that fits, where a run in this folder has locked files of these artefacts."""
    ours = {*plan.files(artefacts), *plan.inputs.jobs(*artefacts)}
    held = {line for lock in LOCKS.glob("*.output.lock") for line in lock.read_text("utf-8").splitlines()}
    if not held & ours:
        return
    for process in psutil.process_iter():
        if _runs_here(process):
            since = datetime.fromtimestamp(process.create_time())
            raise UserError(
                f"another run of Snakemake (process {process.pid}, since {since:%H:%M}) makes the same files here: "
                f"wait until it ends, or end it with kill {process.pid}"
            )
    raise UserError(
        "a run of Snakemake that was killed, or one on another machine, holds the files here: if there is none, "
        "snakemake --unlock, then the same command again"
    )


def _runs_here(process: psutil.Process) -> bool:
    """Whether a process is Snakemake, at work in this folder, and neither this one nor what started it."""
    own = psutil.Process()
    try:
        command = [Path(part).name for part in process.cmdline()[:3]]
        here = "snakemake" in command and process.cwd() == own.cwd()
    except psutil.Error:  # it has ended, or is somebody else's
        return False
    return here and process not in (own, *own.parents())
