"""Makes the environments of ``envs/`` ready for the tests, which reach no network:

    python -m tests.environment.prepare

Packages come from the package index by pip, Python itself from this machine. Nothing happens when they are ready, or
where they cannot be had. They lie in ``.cache/``, or in the folder that ``PAPERTABLES_CACHE`` names.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from tests.environment.channel import VERSION, make_channel
from tests.environment.conda_standin import install_standin, path_with

REPOSITORY = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("PAPERTABLES_CACHE") or REPOSITORY / ".cache").resolve() / "papertables-conda"
ENVIRONMENTS = FOLDER / "envs"
COMMANDS = FOLDER / "bin"
READY = FOLDER / ".ready"
ASKED = sorted((REPOSITORY / "envs").glob("*.yaml"))
TARGETS = ("--config", "artefacts=[attrvr_table1]")  # what is made then takes every environment
GIGABYTES = 6


def stamp() -> str:
    """Of all that the environments follow from; Snakemake finds them again in the same folder only."""
    here = Path(__file__)
    files = [*ASKED, *(here.with_name(name) for name in ("channel.py", "conda_standin.py", here.name))]
    parts = [str(FOLDER), platform.python_version(), *(file.read_text() for file in files)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def is_ready() -> bool:
    return READY.exists() and READY.read_text() == stamp()


def obstacle() -> str | None:
    """Why the environments cannot be made on this machine."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return "needs Linux on x86-64"
    if any(f"python={VERSION}\n" not in file.read_text() for file in ASKED):
        return f"envs/ asks for another Python than {VERSION}"
    if shutil.disk_usage(REPOSITORY).free < GIGABYTES * 1e9:
        return f"needs {GIGABYTES} GB of disk"
    return None


def prepare() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    install_standin(FOLDER)
    make_channel(FOLDER / "channel")
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", REPOSITORY / "Snakefile", "--directory", FOLDER]
    options = ["--use-conda", "--conda-create-envs-only", "--conda-prefix", ENVIRONMENTS, *TARGETS, "scale=mini"]
    subprocess.run([*snakemake, *options], env=os.environ | {"PATH": path_with(COMMANDS)}, check=True)
    READY.write_text(stamp())


if __name__ == "__main__" and not is_ready():
    if reason := obstacle():
        print(f"no conda environments for the tests: {reason}")
    else:
        prepare()
