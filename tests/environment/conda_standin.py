"""Stands in for the ``conda`` command where there is none: answers what Snakemake asks of it, and makes environments
with a real solver from real packages, but of its own channel (``channel.py``), whichever a file of ``envs/`` names."""

import asyncio
import json
import os
import shlex
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path

import yaml

VERSION = "24.11.0"
PLATFORM = "linux-64"
COMMAND = """\
#!/bin/sh
exec {python} {script} {folder} "$@"
"""
ACTIVATE = """\
export CONDA_PREFIX="$1"
export PATH="$1/bin:$PATH"
"""


def install_standin(folder: Path) -> Path:
    """Makes the command and its ``activate``; returns the folder to put on PATH."""
    commands = folder / "bin"
    commands.mkdir(parents=True, exist_ok=True)
    said = {"python": sys.executable, "script": Path(__file__).resolve(), "folder": folder.resolve()}
    command = commands / "conda"
    command.write_text(COMMAND.format(**{name: shlex.quote(str(path)) for name, path in said.items()}))
    command.chmod(0o755)
    (commands / "activate").write_text(ACTIVATE)
    return commands


def path_with(commands: Path) -> str:
    return os.pathsep.join([str(commands), os.environ["PATH"]])


def main(folder: Path, arguments: list[str]) -> None:
    match arguments:
        case ["--version"]:
            print("conda", VERSION)
        case ["info", "--json"]:
            print(json.dumps({"conda_prefix": str(folder), "platform": PLATFORM}))
        case ["config", "--get", "channel_priority", "--json"]:
            print(json.dumps({"get": {"channel_priority": "strict"}}))
        case ["env", "create", *options]:
            create(folder, options)
        case ["clean", "-y", "--tarballs"]:
            pass
        case _:
            sys.exit(f"conda stand-in: cannot do {shlex.join(arguments)}")


def create(folder: Path, options: list[str]) -> None:
    parser = ArgumentParser()
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--no-default-packages", action="store_true")
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--prefix", type=Path, required=True)
    asked = parser.parse_args(options)
    wanted = yaml.safe_load(asked.file.read_text())["dependencies"]
    asyncio.run(install_packages(folder, [item for item in wanted if isinstance(item, str)], asked.prefix))
    for section in wanted:
        if isinstance(section, dict):
            pip = [
                asked.prefix / "bin" / "python",
                "-I",
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-warn-script-location",
            ]
            subprocess.run([*pip, *section["pip"]], check=True)


async def install_packages(folder: Path, wanted: list[str], prefix: Path) -> None:
    import rattler  # answers need none

    channel = rattler.Channel((folder / "channel").as_uri())
    records = await rattler.solve([channel], wanted, platforms=[PLATFORM, "noarch"])
    await rattler.install(records, target_prefix=prefix, cache_dir=folder / "packages", show_progress=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
