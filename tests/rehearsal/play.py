"""Everything that the paper scale does, from archives to tables, and what came of it."""

import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from papertables.backbones.catalog import backbones
from papertables.results.metrics import Metrics, read_record
from papertables.specs.manifests import read_manifest
from tests.fault_server import Fault, busy
from tests.rehearsal.archives import SETS
from tests.rehearsal.lab import Lab
from tests.rehearsal.world import World, make_world
from tests.workflow.conftest import Project

ARTEFACTS = (
    *("attrvr_table1", "attrvr_table2", "attrvr_rehearsal", "blm_padding", "blm_clip", "blm_rehearsal"),
    *("smm_table1", "smm_table2", "atprompt_table4", "atprompt_search", "atprompt_rehearsal", "atprompt_others"),
)
TOWERS = tuple(id for id, entry in backbones().items() if entry.urls)
MARK = {True: "yes", False: "no"}


def play(root: Path, sets=tuple(SETS), towers=TOWERS, artefacts=ARTEFACTS, pilot: bool = True) -> int:
    """Plays at the scale ``rehearsal`` in a folder, which may be an earlier one to go on with, then at the scale
    ``pilot``, then uses CoOp's data folder where it lies, and prints what came of it; returns how much is missing, 0
    where everything was made."""
    console, begun = Console(width=130), time.monotonic()
    world = make_world(root, sets, towers)
    made = f"archives of {len(world.made)} data sets, weights of {len(towers)} backbones"
    console.print(f"{made} after {time.monotonic() - begun:.0f} s")
    ours = ("scale=rehearsal", f"artefacts=[{','.join(artefacts)}]")
    commands = [["fetch", "--config", *ours], ["--config", *ours]]
    commands += [["--config", "scale=pilot", "device=cpu"]] * pilot
    failed = 0
    with world.server() as server:
        for address, faults in SPOILT.items():
            server.spoil(address, faults)
        for command in commands:
            code = snakemake(world.project, *command, world.mirrors(server), "download_patience=20")
            console.print(f"snakemake {' '.join(command)}: status {code} after {time.monotonic() - begun:.0f} s")
            failed += code != 0
    return failed + report(console, world, towers) + in_place(console, world)


def report(console: Console, world: World, towers: Iterable[str]) -> int:
    """Prints what came of every data set and backbone; returns how much is missing."""
    files = world.results("rehearsal").glob("runs/**/metrics.json")
    records = [read_record(path.read_text("utf-8"), str(path)) for path in files]
    return show(console, "data set", by_set(world, records)) + show(console, "backbone", by_tower(towers, records))


SPOILT = {  # by address
    "huggingface.co/datasets/torchgeo/eurosat/resolve/c877bcd43f099cd0196738f714544e355477f3fd/EuroSAT.zip": [
        Fault(404)
    ],
    "www.robots.ox.ac.uk/~vgg/data/dtd/download/dtd-r1.0.1.tar.gz": [Fault(altered=True)],
    "www.robots.ox.ac.uk/~vgg/data/pets/data/images.tar.gz": [Fault(cut=2000), busy(429, "1")],
    "data.vision.ee.ethz.ch/cvl/food-101.tar.gz": [busy(), Fault(hangs_up=True)],
    "download.pytorch.org/models/resnet18-f37072fd.pth": [Fault(cut=10_000_000), Fault(ignores_range=True)],
}


def snakemake(project: Project, *arguments: str) -> int:
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    return subprocess.run(command, cwd=project.root, env=project.environment).returncode


def in_place(console: Console, world: World) -> int:
    """Prepares the sets of CoOp's data folder from such a folder, and prints what came of it; returns what is amiss."""
    lab = Lab(world)
    if not lab.sets:
        return 0
    code = snakemake(lab.project, *lab.arguments)
    amiss = show(console, "from CoOp's folder", lab.used())
    lab.open()
    return amiss + (code != 0)


def by_set(world: World, records: Sequence[Metrics]) -> dict[str, dict[str, str]]:
    """How far each data set came."""
    results, found = world.results("rehearsal"), {}
    for id, made in world.made.items():
        raw, prepared = world.project.root / "data" / id, results / "data" / id
        archives = [name for name in made.archives if (raw / name).exists()]
        sizes = sum((raw / name).stat().st_size for name in archives)
        manifest = read_manifest(prepared / "manifest.json") if (prepared / "manifest.json").exists() else None
        caches = sorted(path.stem for path in (results / "cache" / id).glob("*.safetensors"))
        scored = sum(each.dataset == id for record in records for each in record.evaluations)
        found[id] = {
            "fetched": f"{sizes / 1e3:.0f} kB" if archives else "",
            "unpacked": MARK[any((raw / f".{name}.done").exists() for name in made.archives)] if archives else "",
            "split": "{train} + {val} + {test}".format(**manifest) if manifest else "",
            "cached": " ".join(caches),
            "scored": f"{scored} evaluations" if scored else "",
        }
    return found


def by_tower(towers: Iterable[str], records: Sequence[Metrics]) -> dict[str, dict[str, str]]:
    """The methods that were trained and scored with each backbone."""
    found = {tower: {record.spec.method for record in records if record.spec.backbone == tower} for tower in towers}
    return {tower: {"methods": ", ".join(sorted(methods))} for tower, methods in found.items()}


def show(console: Console, title: str, rows: dict[str, dict[str, str]]) -> int:
    """Prints a table; returns how many of its entries are empty."""
    columns = list(next(iter(rows.values())))
    table = Table(title, *columns)
    for name, cells in rows.items():
        table.add_row(name, *(cells[column] or "[red]missing[/red]" for column in columns))
    console.print(table)
    return sum(not cell for cells in rows.values() for cell in cells.values())
