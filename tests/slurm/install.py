"""Installs Slurm for the tests, where that may be done:

python3 -m tests.slurm.install
"""

import os
import shutil
import subprocess

DAEMONS = ("munged", "slurmctld", "slurmd")
PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")


def install() -> None:
    """Nothing happens where it is installed."""
    if all(map(shutil.which, DAEMONS)):
        return
    if os.geteuid() or not shutil.which("apt-get"):
        print(f"no Slurm for the tests: root alone may install it, on Debian and its like ({' '.join(PACKAGES)})")
        return
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], env=environment)  # what fails here is told by what follows
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    install()
