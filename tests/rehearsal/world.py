"""A copy of the project whose catalogs know the checksums and counts of miniature archives, and a web of these."""

import csv
import hashlib
import io
import json
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from papertables.backbones.catalog import backbone
from papertables.base.files import file_digest
from tests.archives import sha256
from tests.fault_server import FaultServer
from tests.rehearsal.archives import SETS, Made
from tests.weights import write
from tests.workflow.conftest import Project, copy_project

HERE = Path(__file__).parent
CODE = Path("src/papertables")


@dataclass
class Folder:
    """What a server has: files below a folder by their addresses without ``https://``, read when they are asked for."""

    root: Path

    def add(self, url: str, content: bytes) -> None:
        self.path(url).write_bytes(content)

    def path(self, url: str) -> Path:
        path = self.root / url.partition("://")[2]
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def get(self, name: str) -> bytes | None:
        path = self.root / name
        return path.read_bytes() if path.is_file() else None


@dataclass
class World:
    """project: the copy. web: what is served. made: by data set, what its archives hold."""

    project: Project
    web: Folder
    made: dict[str, Made]

    def results(self, scale: str) -> Path:
        return self.project.root / "results" / scale

    def server(self) -> FaultServer:
        server = FaultServer()
        server.files = self.web
        return server

    def mirrors(self, server: FaultServer) -> str:
        """The setting that puts a server in the place of all addresses."""
        return "mirrors=" + json.dumps({"https://": f"{server.url}/", "http://": f"{server.url}/"})


def make_world(root: Path, sets: Iterable[str] = SETS, towers: Iterable[str] = ()) -> World:
    """The project, its scale ``rehearsal``, and all that data sets and backbones are fetched from. What a user has to
    bring lies in the data folder. The scale ``pilot`` trains for one epoch, on as few images as there are, and its
    students have teachers of their own size."""
    project, web = copy_project(root / "project"), Folder(root / "web")
    shutil.copy(HERE / "scale.yaml", project.root / "workflow/scales/rehearsal.yaml")
    pilot = project.root / "workflow/scales/pilot.yaml"
    shorter = re.sub(r"\bepochs: \d+", "epochs: 1", pilot.read_text("utf-8")) + "shots: 1\n"
    pilot.write_text(shorter.replace("clip_vit_l14: clip_vit_l14", "clip_vit_l14: clip_vit_b16"), "utf-8")
    shutil.copytree(HERE / "artefacts", project.root / "workflow/papers", dirs_exist_ok=True)
    world = World(project, web, {id: SETS[id]() for id in sets})
    with _catalog(project.root / CODE / "data/catalog.yaml") as entries:
        for id, made in world.made.items():
            served, brought = rewrite(entries[id], made)
            for url, content in served.items():
                web.add(url, content)
            for name, content in brought.items():
                (project.root / "data" / id).mkdir(parents=True, exist_ok=True)
                (project.root / "data" / id / name).write_bytes(content)
    with _catalog(project.root / CODE / "backbones/catalog.yaml") as entries:
        for id in towers:
            _tower(web, id, entries[id])
    _sentences(world)
    return world


class _catalog:
    """The entries of a catalog, written back at the end."""

    def __init__(self, path: Path):
        self.path = path

    def __enter__(self) -> dict[str, dict]:
        self.entries = yaml.safe_load(self.path.read_text("utf-8"))
        return self.entries

    def __exit__(self, *_) -> None:
        self.path.write_text(yaml.safe_dump(self.entries, sort_keys=False, allow_unicode=True), "utf-8")


def rewrite(entry: dict, made: Made) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Gives a data set's entry of the catalog the checksums and counts of its miniature archives; returns what lies at
    which address, and what only a user can bring, by name."""
    source, split, web, brought = entry["source"], entry["split"], {}, {}
    files = [*source.get("files", ()), *(file for way in source.get("instead", ()) for file in way)]
    files += [*source.get("archives", ()), *([source["unsorted"]["labels"]] if "unsorted" in source else [])]
    for file in files:
        if (content := made.archives.get(file["name"])) is not None:
            _know(file, content)
            web |= dict.fromkeys(file.get("urls", ()), content)
            brought |= {} if "urls" in file else {file["name"]: content}
    if made.split is not None:
        _know(split["file"], made.split)
        web[split["file"]["urls"][0]] = made.split
    if "reader" in split:
        split["reader"]["checked"] = False
    split |= made.changes
    entry |= made.counts | {"bytes": sum(map(len, made.archives.values()))}
    return web, brought


def _know(file: dict, content: bytes) -> None:
    """Puts checksums in the place of those that a file has; what is published without one stays so."""
    git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    known = {"sha256": sha256(content), "md5": hashlib.md5(content).hexdigest(), "git_blob": git}
    file |= {kind: digits for kind, digits in known.items() if kind in file}


def _tower(web: Folder, id: str, entry: dict) -> None:
    path = web.path(entry["urls"][0])
    if not path.exists():
        write(backbone(id), path)
    for key in ("sha256", "sha256_prefix"):
        if key in entry:
            entry[key] = file_digest(path)[: len(entry[key])]
    entry["bytes"] = path.stat().st_size


def _sentences(world: World) -> None:
    """AttrVR's published files, of the classes that there are."""
    path = world.project.root / CODE / "attributes/published.csv"
    sources = yaml.safe_load((path.parent / "catalog.yaml").read_text("utf-8"))
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))
    for row in rows:
        made = world.made.get(row["dataset"])
        if made and made.names and row["source"] == "gpt3":
            said = {
                name: [f"{name} seen from side {side}, {row['kind']}." for side in range(25)] for name in made.names
            }
            content = json.dumps(said).encode()
            row |= {"bytes": len(content), "sha256": sha256(content)}
            world.web.add(f"{sources[row['source']]['url']}/{row['file']}", content)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
