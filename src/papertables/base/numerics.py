"""The code that all runs pass through, as it was when its version was last thought of.

``python -m papertables.base.numerics "why"`` records it: after ``NUMERICS`` was raised, or where no result changes.
"""

import sys
from pathlib import Path

import yaml

from papertables import NUMERICS
from papertables.base.code import FOLDER, PACKAGE, code_digest, source_files
from papertables.base.errors import UserError
from papertables.base.files import read_yaml, write_atomic

RECORD = Path(__file__).with_suffix(".yaml")
HEADER = f"""\
# By file, what the code that all runs pass through was when somebody last said whether it changes results, and what was
# said. Written by: python -m {PACKAGE}.base.numerics "why"
"""
ENDS = (
    "training.job",
    "training.teacher",
    "backbones.frozen_features",
    "data.cache",
    "data.prepare",
)  # what the rules call
ROOMS = ("training", "backbones", "data", "attributes", "base.device")
BESIDE = {  # in these rooms, and no number depends on it: why
    "training/progress.py": "what is shown of a training",
    "training/record.py": "what is written of a run",
    "backbones/catalog.py": "what decides numbers is in a run's fingerprint",
    "backbones/pretraining.py": "makes weights, whose contents are in a run's fingerprint",
    "data/catalog.py": "in the parameters of its rule",
    "data/download.py": "brings files, whose contents are in a run's fingerprint",
    "data/transfer.py": "brings files, whose contents are in a run's fingerprint",
    "data/unpack.py": "brings files, whose contents are in a run's fingerprint",
    "data/miniworld/draw.py": "in the parameters of its rule",
    "data/miniworld/grammar.py": "in the parameters of its rule",
    "data/miniworld/targets.py": "in the parameters of its rule",
    "attributes/catalog.py": "names files, whose contents are in a run's fingerprint",
}


def shared_code() -> dict[str, str]:
    """By file of the package, ten hexadecimal digits over its syntax tree. Methods are left out, each with what it
    imports: a run's fingerprint has them."""
    rooms = [f"{PACKAGE}.{room}" for room in ROOMS]
    files = {file for end in ENDS for file in source_files(f"{PACKAGE}.{end}", rooms)}
    named = {file.relative_to(FOLDER).as_posix(): file for file in sorted(files)}
    return {name: code_digest([file])[:10] for name, file in named.items() if name not in BESIDE}


def changed() -> list[str]:
    """The files that are no longer as recorded, have come or have gone."""
    then, now = read_yaml(RECORD)["files"], shared_code()
    return sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))


def record(why: str) -> None:
    """Takes the code as it is for that of ``NUMERICS``."""
    said = [*read_yaml(RECORD)["said"], {"version": NUMERICS, "why": why}]
    text = yaml.safe_dump(
        {"version": NUMERICS, "files": shared_code(), "said": said}, sort_keys=False, width=110, allow_unicode=True
    )
    write_atomic(RECORD, (HEADER + text).encode())


if __name__ == "__main__":
    if len(sys.argv) != 2 or not sys.argv[1].strip():
        sys.exit(f"error: say why: python -m {PACKAGE}.base.numerics 'renamed a variable, results stay the same'")
    try:
        record(sys.argv[1])
    except UserError as error:
        sys.exit(f"error: {error}")
