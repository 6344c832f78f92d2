"""Installs Slurm for the tests, where that may be done:

python3 -m tests.slurm.install
"""

import os
import shutil
import subprocess

DAEMONS = ("munged", "slurmctld", "slurmd")
PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")


def install() -> None:
    """Nothing happens where it is installed. What fails is printed, and the tests tell that they are skipped."""
    if all(map(shutil.which, DAEMONS)):
        return
    if os.geteuid() or not shutil.which("apt-get"):
        print(f"no Slurm for the tests: root alone may install it, on Debian and its like ({' '.join(PACKAGES)})")
        return
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
    for each in (["apt-get", "update", "-qq"], command):
        subprocess.run(each, env=environment, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    install()
