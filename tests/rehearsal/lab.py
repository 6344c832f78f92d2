"""CoOp's data folder, made from what the rehearsal unpacked, and a project that uses it where it lies."""

import json
import shutil
from pathlib import Path

from papertables.data.catalog import Dataset, dataset
from papertables.specs.manifests import read_manifest
from tests.archives import state
from tests.rehearsal.world import World
from tests.workflow.conftest import PARTS, Project


class Lab:
    """folder: what the lab shares. sets: that lie there. project: of one who downloads nothing, in ``own``."""

    def __init__(self, world: World):
        root = world.project.root.parent.resolve()
        self.folder, self.project = root / "lab", Project(root / "beside")
        self.fetched = world.results("rehearsal") / "data"
        self.sets = [id for id in world.made if _of_coop(dataset(id))]
        self.folder.mkdir(exist_ok=True)
        self.open()
        for earlier in (self.folder, self.project.root):
            shutil.rmtree(earlier, ignore_errors=True)
        self.folder.mkdir()
        for id in self.sets:
            for place, target in _places(dataset(id)).items():
                _copy(world.project.root / "data" / id / place, self.folder / target)
        for part in PARTS:
            _copy(world.project.root / part, self.project.root / part)
        self._set_rights(0o555, 0o444)
        self.before = state(self.folder)

    @property
    def arguments(self) -> list[str]:
        """For Snakemake: every set, prepared."""
        manifests = [str(self._manifest(id).relative_to(self.project.root)) for id in self.sets]
        shared = f"shared_data={json.dumps([str(self.folder)])}"
        return [*manifests, "--config", "scale=rehearsal", "downloads=false", "data_root=own", shared]

    def open(self) -> None:
        """Lets it be removed."""
        self._set_rights(0o755, 0o644)

    def _set_rights(self, folders: int, files: int) -> None:
        for path in [self.folder, *self.folder.rglob("*")]:
            path.chmod(folders if path.is_dir() else files)

    def used(self) -> dict[str, dict[str, str]]:
        """By set, whether it is what was fetched, how much of it was copied, and whether the lab's folder is as it
        was."""
        after = state(self.folder)
        return {id: self._used(id, after == self.before) for id in self.sets}

    def _used(self, id: str, untouched: bool) -> dict[str, str]:
        ours, own = self._manifest(id), self.project.root / "own" / id
        same = ours.exists() and read_manifest(ours)["digest"] == read_manifest(self.fetched / id / ours.name)["digest"]
        copied = [path for path in own.rglob("*") if path.is_file() and not path.is_symlink()]
        return {
            "the images that were fetched": "yes" * same,
            "copied": ", ".join(path.name for path in copied) or "nothing",
            "the lab's folder as it was": "yes" * untouched,
        }

    def _manifest(self, id: str) -> Path:
        return self.project.root / "results/rehearsal/data" / id / "manifest.json"


def _of_coop(entry: Dataset) -> bool:
    """Whether CoOp's folder has it: with images, and with a split file if it has one."""
    return any(entry.places.values()) and entry.id not in ("cifar10", "cifar100", "resisc45", "gtsrb_final")


def _places(entry: Dataset) -> dict[str, str]:
    """What CoOp's folder has of a set, by where it lies in our raw folder."""
    places = {place: others[0] for place, others in entry.places.items()}
    lists = [entry.split.file] if entry.split.file else []
    if entry.source.kind == "manual" and entry.source.unsorted:
        lists.append(entry.source.unsorted.labels)
    first = Path(next(iter(places.values()))).parts[0]
    return places | {file.name: f"{first}/{file.name}" for file in lists}


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
