"""A conda channel in a folder, with this machine's Python and pip: what the files in ``envs/`` take from one.

No public channel can be reached where the tests run. A package is an archive with its files and a description of them.
"""

import asyncio
import hashlib
import io
import json
import platform
import sys
import sysconfig
import tarfile
from fnmatch import fnmatch
from importlib.metadata import distribution
from pathlib import Path

VERSION = "{}.{}".format(*sys.version_info)
LIBRARY = f"lib/python{VERSION}"
DEBIAN = "deb_system" in sysconfig.get_scheme_names()  # its Python looks for packages elsewhere
PACKAGES = "lib/python3/dist-packages" if DEBIAN else f"{LIBRARY}/site-packages"
LEFT_OUT = ("site-packages", "dist-packages", "__pycache__", "test", "idlelib", "config-*", "EXTERNALLY-MANAGED")
PLATFORM = "linux-64"


def make_channel(folder: Path) -> None:
    from rattler.index import index_fs  # needed where environments are made, and nowhere else

    for subfolder in (PLATFORM, "noarch"):
        (folder / subfolder).mkdir(parents=True)
    pack(folder, "python", platform.python_version(), python_files())
    pack(folder, "pip", distribution("pip").version, pip_files(), f"python {VERSION}.*")
    asyncio.run(index_fs(folder, write_zst=False, write_shards=False))


def python_files() -> dict[str, Path]:
    """The interpreter, its shared library where it has one, and the standard library, by place in an environment."""
    interpreter = Path(sys._base_executable).resolve()
    libraries = Path(sysconfig.get_config_var("LIBDIR")).glob(f"libpython{VERSION}.so.*")
    standard = Path(sysconfig.get_path("stdlib"))
    files = {f"bin/{name}": interpreter for name in ("python", "python3", f"python{VERSION}")}
    files |= {f"lib/{library.name}": library for library in libraries}
    for path in standard.rglob("*"):
        place = path.relative_to(standard)
        if path.is_file() and not any(fnmatch(part, left) for part in place.parts for left in LEFT_OUT):
            files[f"{LIBRARY}/{place}"] = path
    return files


def pip_files() -> dict[str, Path]:
    """Without the commands, which name an interpreter: ``python -m pip`` needs none."""
    files = {f"{PACKAGES}/{file}": Path(file.locate()) for file in distribution("pip").files if ".." not in file.parts}
    return {place: path for place, path in files.items() if path.suffix != ".pyc"}


def pack(channel: Path, name: str, version: str, files: dict[str, Path], *depends: str) -> None:
    """Writes a package in conda's first format."""
    index = {"name": name, "version": version, "build": "0", "build_number": 0, "subdir": PLATFORM, "depends": depends}
    paths = [described(place, path) for place, path in files.items()]
    target = channel / PLATFORM / f"{name}-{version}-0.tar.bz2"
    with tarfile.open(target, "w:bz2", compresslevel=1, dereference=True) as archive:
        add(archive, "info/index.json", index)
        add(archive, "info/paths.json", {"paths": paths, "paths_version": 1})
        for place, path in files.items():
            archive.add(path, place)


def described(place: str, path: Path) -> dict[str, str | int]:
    content = path.read_bytes()
    return {
        "_path": place,
        "path_type": "hardlink",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_in_bytes": len(content),
    }


def add(archive: tarfile.TarFile, place: str, content: dict) -> None:
    text = json.dumps(content).encode()
    entry = tarfile.TarInfo(place)
    entry.size = len(text)
    archive.addfile(entry, io.BytesIO(text))
