"""What a plan takes from outside the project: data sets, weights and published sentences."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from papertables.attributes.catalog import attribute_source, language_models, published_file
from papertables.backbones.catalog import backbone, backbones
from papertables.base.errors import UserError
from papertables.base.files import parts_of
from papertables.data.catalog import dataset, datasets
from papertables.data.found import Found, find
from papertables.planning.plan import Plan


class Needs(NamedTuple):
    """Data sets and backbones by id, and sentences by source and data set."""

    sets: tuple[str, ...]
    towers: tuple[str, ...]
    sentences: tuple[tuple[str, str], ...]


def needs(plan: Plan, artefacts: Iterable[str]) -> Needs:
    """What artefacts need that does not come with the project, each once, whether it is here or not."""
    artefacts = tuple(artefacts)
    jobs = plan.jobs_for(*artefacts)
    searches = [search for id in artefacts for search in plan.artefacts[id].searches]
    searches += [plan.search_of[run.id] for job in jobs for run in job.runs if run.id in plan.search_of]
    sets = [name for job in jobs for name in (job.dataset, *plan.transfer_datasets(job))]
    sets = dict.fromkeys(sets + [search.dataset for search in searches])
    towers = dict.fromkeys([job.backbone for job in jobs] + [search.backbone for search in searches])
    sentences = {(run.attributes, run.dataset): None for job in jobs for run in job.runs if run.attributes}
    sentences |= dict.fromkeys(said for id in artefacts for said in plan.artefacts[id].sentences.values())
    return Needs(
        tuple(name for name in sets if dataset(name).source.kind != "drawn"),
        tuple(name for name in towers if not (backbone(name).shipped or name in plan.config.weights)),
        tuple(
            (source, name)
            for source, name in sentences
            if source not in language_models() and not attribute_source(source).committed
        ),
    )


def fetched_files(plan: Plan, artefacts: Iterable[str]) -> list[str]:
    """What rules make of all that artefacts need from outside: after these no network is asked for anything."""
    needed, paths = needs(plan, artefacts), plan.paths
    return [
        *map(paths.manifest, needed.sets),
        *map(paths.weights, needed.towers),
        *(path for source, name in needed.sentences for path in paths.sentences(source, name)),
    ]


def found(plan: Plan, name: str) -> Found:
    """Where a data set is on this machine."""
    return find(dataset(name), Path(plan.paths.raw(name)), [*map(Path, plan.config.shared_data)])


def downloads(plan: Plan, artefacts: Iterable[str]) -> dict[str, int | None]:
    """What artefacts need that is not here: by name its bytes, None where no source says."""
    return _lacking(plan, needs(plan, artefacts))


def _lacking(plan: Plan, needed: Needs) -> dict[str, int | None]:
    lacking: dict[str, int | None] = {}
    for entry in map(dataset, needed.sets):
        images = found(plan, entry.id)
        if images.state in ("fetch", "step"):
            lacking[entry.label] = entry.bytes
        else:
            lacking |= {f"{file} of {entry.label}": None for file in images.lists}
    for tower in map(backbone, needed.towers):
        if not Path(plan.paths.weights(tower.id)).exists():
            lacking[tower.label] = tower.bytes
    for source, name in needed.sentences:
        if not all(Path(path).exists() for path in plan.paths.sentences(source, name)):
            files = [published_file(source, name, kind) for kind in ("des", "dist")]
            lacking[f"{source} sentences for {dataset(name).label}"] = sum(file.bytes for file in files)
    return lacking


class Fetching(NamedTuple):
    """About how many bytes a job brings, as far as a source says, and the files that hold them, of which it may need
    some alone."""

    bytes: int
    files: tuple[Path, ...]

    def arrived(self) -> int:
        """How many of the bytes are here, in whole files and in parts of them."""
        here = 0
        for path in (each for file in self.files for each in (file, *parts_of(file))):
            with suppress(FileNotFoundError):  # not begun, or renamed or removed meanwhile
                here += path.stat().st_size
        return min(self.bytes, here)


def fetched_by(plan: Plan, rule: str, wildcards: Mapping[str, str]) -> Fetching | None:
    """What a job brings that is not here; None of all jobs but those for data sets and weights."""
    if rule == "prepare":
        entry = dataset(wildcards["dataset"])
        if entry.bytes and found(plan, entry.id).state == "fetch":
            folder = Path(plan.paths.raw(entry.id))
            return Fetching(entry.bytes, tuple(folder / file.name for way in entry.source.ways for file in way))
    elif rule == "fetch_weights":
        tower = next(tower for tower in backbones().values() if tower.file == wildcards["file"])
        return Fetching(tower.bytes, (Path(plan.paths.weights(tower.id)),)) if tower.bytes else None
    return None


def prepared_files(plan: Plan) -> dict[str, str]:
    """The files of prepared data sets, each with the set."""
    return {path: id for id in datasets() for path in (plan.paths.split(id), plan.paths.manifest(id))}


def check_downloads(plan: Plan, artefacts: Iterable[str], files: Iterable[str] = ()) -> None:
    """Raises UserError where one of them, or of the prepared data sets that are named by their files, has to fetch
    something, and neither scale nor configuration lets it."""
    if plan.scale.downloads if plan.config.downloads is None else plan.config.downloads:
        return
    prepared = prepared_files(plan)
    named = [(path, prepared[path]) for path in files if path in prepared]
    alone = [(path, Needs((id,), (), ())) for path, id in named if dataset(id).source.kind != "drawn"]
    for name, needed in [*((id, needs(plan, [id])) for id in artefacts), *alone]:
        lacking = ", ".join(_lacking(plan, needed))
        if lacking:
            who = "the configuration" if plan.config.downloads is False else f"scale {plan.scale.name}"
            raise UserError(
                f"{name} needs {lacking}, and {who} downloads nothing: allow it with --config downloads=true"
            )
