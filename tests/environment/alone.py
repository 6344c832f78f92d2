"""An environment that holds Snakemake with what it requires, and nothing else. It is made of links into the one that
runs the tests, in a moment and without a network."""

import os
import subprocess
import sysconfig
import venv
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


@dataclass(frozen=True)
class Interpreter:
    path: Path

    def run(self, *arguments: str | Path, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """As from a user's shell, which knows nothing of this project."""
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [self.path, *arguments]
        return subprocess.run(command, cwd=folder, env=inherited | variables, text=True, capture_output=True)


def snakemake_alone(folder: Path) -> Interpreter:
    venv.create(folder, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
    for installed in required("snakemake"):
        for file in installed.files:
            if ".." not in file.parts:  # neither commands nor headers
                link = packages / file
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(file.locate())
    return Interpreter(folder / "bin" / "python")


def required(name: str) -> list[Distribution]:
    """A distribution and all that it requires here, with the extras that are asked for."""
    wanted, seen, found = [Requirement(name)], set(), {}
    while wanted:
        asked = wanted.pop()
        key = canonicalize_name(asked.name), frozenset(asked.extras)
        if key in seen:
            continue
        seen.add(key)
        found[key[0]] = distribution(asked.name)
        for requirement in map(Requirement, found[key[0]].requires or ()):
            extras = {"", *asked.extras}
            if not requirement.marker or any(requirement.marker.evaluate({"extra": extra}) for extra in extras):
                wanted.append(requirement)
    return list(found.values())
