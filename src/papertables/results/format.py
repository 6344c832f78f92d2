"""The version of how results are kept, which a folder of runs says of itself."""

import json
from pathlib import Path

from papertables.base.errors import UserError
from papertables.base.files import write_atomic

FORMAT = 2  # 1: ids told how often a run was tested, files carried no checksums, and no format was told
FILE = "format.json"


def tell_format(runs: Path) -> None:
    """Has a folder of runs say that it is of this format, before the first is written."""
    if _format(runs) < FORMAT:
        write_atomic(runs / FILE, json.dumps({"format": FORMAT}).encode())


def check_format(runs: Path) -> str | None:
    """What is to be said of a folder of runs: a line where it is of an earlier format, which is read as it is. Raises
    UserError for a later one, in which this version could only write what the later would not understand."""
    if not runs.is_dir():
        return None
    found = _format(runs)
    if found > FORMAT:
        raise UserError(
            f"{runs} was written by a later papertables (format {found}, this one knows {FORMAT}): "
            "update this one, or move the folder away"
        )
    if found == FORMAT:
        return None
    told = f"{runs} was written by an earlier papertables (format {found})"
    return f"{told}: its runs are read, and renamed where ids have changed"


def _format(runs: Path) -> int:
    """1 of a folder that says nothing."""
    path = runs / FILE
    try:
        return int(json.loads(path.read_text("utf-8"))["format"])
    except FileNotFoundError:
        return 1
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path}: no format can be read from it: delete it and run again") from None
