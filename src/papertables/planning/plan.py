"""Artefacts to cells to runs to jobs to files: a pure function of what is declared, which never looks at results.

The only module that knows where results lie.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache, cached_property
from pathlib import Path
from time import time

from pydantic import JsonValue

from papertables import NUMERICS
from papertables.attributes.catalog import attribute_source
from papertables.backbones.catalog import backbone, backbones
from papertables.code import FOLDER, code_digest, source_files
from papertables.config import Artefact, Selection
from papertables.data.catalog import dataset
from papertables.data.splits import draw_seed
from papertables.errors import UserError, unknown
from papertables.methods import METHODS, method_code
from papertables.planning.cells import NotAtScale, PlannedArtefact, plan_artefact
from papertables.planning.project import Project, load_project
from papertables.results.searches import SearchSpec
from papertables.spec import CacheKey, RunSpec, Target, digest

FORMATS = {"table": ("md", "csv", "tex", "html"), "figure": ("pdf", "png", "csv")}
ARTEFACTS = FOLDER / "artefacts"
MINI_WORLD = FOLDER / "data" / "miniworld"
ROOMS = ("papertables.methods", "papertables.attributes")  # whose code is fingerprinted by itself
SHIPPED_WEIGHTS = FOLDER / "backbones" / "weights"


@dataclass(frozen=True)
class Job:
    """What one process trains: runs that share backbone, data set and protocol."""

    id: str
    runs: tuple[RunSpec, ...]

    @property
    def artefact(self) -> str:
        """The artefact that owns its runs."""
        return self.id.partition(".")[0]

    @property
    def dataset(self) -> str:
        return self.runs[0].dataset

    @property
    def backbone(self) -> str:
        return self.runs[0].backbone

    @property
    def trained(self) -> tuple[RunSpec, ...]:
        return tuple(run for run in self.runs if run.training)

    @property
    def caches(self) -> tuple[CacheKey, ...]:
        """Of the images that it trains on or evaluates."""
        return tuple(sorted({key for run in self.trained for key in (run.train_cache, run.test_cache)}))

    @property
    def signature(self) -> str:
        """Changes when a spec, the code of a method or the shared numerics do."""
        code = {run.method: method_code(run.method) for run in self.runs}
        return digest({"runs": [run.digest for run in self.runs], "code": code, "numerics": NUMERICS})


@dataclass(frozen=True)
class Paths:
    """Where everything lies. What is made lies below the working folder; what is committed below ``root``."""

    root: Path
    scale: str
    data_root: str
    own_weights: Mapping[str, str] = field(default_factory=dict)

    @property
    def results(self) -> str:
        return f"results/{self.scale}"

    @property
    def runs(self) -> str:
        return f"{self.results}/runs"

    @property
    def checkpoints(self) -> str:
        return f"{self.results}/checkpoints"

    @property
    def runs_csv(self) -> str:
        return f"{self.results}/runs.csv"

    @property
    def index(self) -> str:
        return f"{self.results}/index.html"

    def job(self, job: str) -> str:
        return f"{self.results}/jobs/{job}.jsonl"

    def raw(self, dataset: str) -> str:
        return f"{self.data_root}/{dataset}"

    def split(self, dataset: str) -> str:
        return f"{self.results}/data/{dataset}/split.json"

    def manifest(self, dataset: str) -> str:
        return f"{self.results}/data/{dataset}/manifest.json"

    def cache(self, dataset: str, part: str, fit: str, size: int | str) -> str:
        return f"{self.results}/cache/{dataset}/{part}-{fit}-{size}.safetensors"

    def encoded(self, dataset: str, backbone: str) -> str:
        return f"{self.results}/encoded/{dataset}/{backbone}.safetensors"

    def weights(self, name: str) -> str:
        entry = backbone(name)
        if name in self.own_weights:
            return self.own_weights[name]
        if entry.shipped:
            return str(SHIPPED_WEIGHTS / entry.file)
        return f"{self.data_root}/weights/{entry.file}"

    def searched(self, dataset: str, backbone: str, search: str) -> str:
        return f"{self.results}/searched/{dataset}/{backbone}/{search}.json"

    def attributes(self, source: str, dataset: str) -> tuple[str, str]:
        """The descriptive and the distinctive sentences: committed, or fetched below the data folder."""
        folder = self.root / "attributes" if attribute_source(source).committed else f"{self.data_root}/attributes"
        return tuple(f"{folder}/{source}/{dataset}_{kind}.json" for kind in ("des", "dist"))

    def published(self, paper: str) -> str:
        """The folder of the paper's published numbers."""
        return str(self.root / "workflow" / "papers" / paper / "published")

    def artefact(self, artefact: Artefact) -> str:
        """Without its suffix."""
        name = artefact.id.removeprefix(f"{artefact.paper}_")
        return f"{self.results}/{artefact.kind}s/{artefact.paper}/{name}"

    def pretrained(self, backbone: str) -> str:
        """A tiny backbone that is pretrained anew, without its suffix."""
        return f"{self.results}/pretrained/{backbone}"

    def embedded(self, run: str, selection: Selection) -> str:
        """Embeddings of the test images before and after a run."""
        return f"{self.results}/embedded/{selection}/{run}.safetensors"


class Plan:
    """All artefacts, whatever is selected: so a run's job does not depend on what else is asked for."""

    def __init__(self, project: Project):
        self.project = project
        self.config, self.scale = project.config, project.scale
        self.paths = Paths(project.root, project.scale.name, project.config.data_root, project.config.weights)
        for name in self.config.weights:
            if name not in backbones():
                raise UserError(f"config: weights: {unknown('backbone', name, backbones())}")
        self.artefacts: dict[str, PlannedArtefact] = {}
        self.left_out: dict[str, NotAtScale] = {}
        for id, artefact in project.artefacts.items():
            try:
                self.artefacts[id] = plan_artefact(project.scope(artefact), artefact)
            except NotAtScale as error:
                self.left_out[id] = error
        self.selected = self._selected()
        self.jobs = {job.id: job for job in self._jobs()}
        self.targets, self.search_of, self.searches = self._scored_and_searched()
        glob = self.config.retrain
        if glob and not any(fnmatchcase(run, glob) for run in self.job_of):
            example = next(iter(self.job_of))
            raise UserError(f"config: retrain: '{glob}' matches no run; run ids look like '{example}'")

    @property
    def device(self) -> str:
        return self.config.device or self.scale.device

    @cached_property
    def job_of(self) -> dict[str, str]:
        """Run id to job id."""
        return {run.id: job.id for job in self.jobs.values() for run in job.runs}

    def run(self, id: str) -> RunSpec:
        """The spec of a run of some artefact."""
        return next(run for run in self.jobs[self.job_of[id]].runs if run.id == id)

    def jobs_for(self, *artefacts: str) -> list[Job]:
        """The jobs that own the runs of artefacts, each once, in canonical order."""
        owners = {self.job_of[run.id] for id in artefacts for run in self.artefacts[id].runs}
        return [job for job in self.jobs.values() if job.id in owners]

    def artefact_at(self, paper: str, name: str) -> PlannedArtefact:
        return self.artefacts[f"{paper}_{name}"]

    def elsewhere(self, job: Job) -> dict[str, tuple[Target, ...]]:
        """By run id, what the job's runs are scored on beside what is tested while they train."""
        return {run.id: self.targets.get(run.id, ()) for run in job.trained}

    def signature(self, job: Job) -> str:
        """Changes with the job's own and with what its runs are scored on, and with nothing else."""
        return digest([job.signature, self.elsewhere(job)])

    def target_caches(self, job: Job) -> dict[str, str]:
        """By data set other than the job's own, the cache of test images for runs that add tokens to them."""
        seeing = [run for run in job.trained if METHODS[run.method].prompts_images]
        keys = {(target.dataset, run.test_cache) for run in seeing for target in self.targets.get(run.id, ())}
        return {name: self.paths.cache(name, *key) for name, key in sorted(keys) if name != job.dataset}

    def target_datasets(self, job: Job) -> list[str]:
        """The data sets other than its own that a job's runs are scored on."""
        found = {target.dataset for targets in self.elsewhere(job).values() for target in targets}
        return sorted(found - {job.dataset})

    def searched_for(self, job: Job) -> dict[str, str]:
        """By run id, the search whose winner gives its attributes."""
        found = {run.id: self.search_of[run.id] for run in job.runs if run.id in self.search_of}
        return {id: self.searched(search) for id, search in found.items()}

    def searched(self, search: SearchSpec) -> str:
        return self.paths.searched(search.dataset, search.backbone, search.id)

    def searched_by(self, planned: PlannedArtefact) -> dict[SearchSpec, Path]:
        """The files of the searches that an artefact shows."""
        return {search: Path(self.searched(search)) for search in planned.searches}

    def search(self, dataset: str, backbone: str, search: str) -> SearchSpec:
        """The search of some artefact or run."""
        return self.searches[dataset, backbone, search]

    def search_caches(self, search: SearchSpec) -> dict[str, str]:
        """Of the images that a search trains and validates on."""
        size = backbone(search.backbone).image_size
        keys = {"train": CacheKey("train", "short", size), "val": CacheKey("val", "crop", size)}
        return {part: self.paths.cache(search.dataset, *key) for part, key in keys.items()}

    def search_signature(self) -> str:
        """Changes with how attributes are searched."""
        return digest([NUMERICS, _code("papertables.training.search", ROOMS)])

    def retrain(self, job: str) -> str | None:
        """What sets off a job that owns a run which ``retrain`` names, each time anew; None for the others."""
        glob = self.config.retrain
        matches = glob and any(fnmatchcase(run.id, glob) for run in self.jobs[job].runs)
        return f"{glob} at {time()}" if matches else None

    def published(self, planned: PlannedArtefact) -> list[str]:
        """The files of published numbers that an artefact is compared with."""
        folder = self.paths.published(planned.paper.id)
        return [f"{folder}/{published.file}" for published in planned.artefact.published]

    @cached_property
    def _artefact_code(self) -> str:
        templates = [path.read_text() for path in sorted(ARTEFACTS.rglob("*.html"))]
        return digest([code_digest(sorted(ARTEFACTS.rglob("*.py"))), *templates])

    def artefact_signature(self, planned: PlannedArtefact) -> str:
        """Changes with what an artefact says (declaration, runs, selection) and with how it is drawn."""
        facts = planned.artefact.facts
        about = (*ROOMS, "papertables.backbones")  # what computed tables are about
        return digest(
            {
                "artefact": planned.artefact.model_dump(mode="json"),
                "paper": planned.paper.model_dump(mode="json"),
                "scale": self.scale.model_dump(mode="json"),
                "selection": planned.selection,
                "runs": [run.digest for run in planned.runs],
                "partial": self.config.partial and time(),  # what is there changes unseen
                "code": [self._artefact_code, facts and _code(f"papertables.artefacts.facts.{facts}", about)],
                "datasets": [dataset(name).model_dump(mode="json") for name in planned.paper.datasets],
            }
        )

    def embedding_signature(self) -> str:
        """Changes with how embeddings are made."""
        rooms = (*ROOMS, "papertables.training.mapping_history")
        return digest([NUMERICS, _code("papertables.training.inspect", rooms)])

    def dataset_signature(self, name: str) -> str:
        """Changes with the catalog's entry and, for a drawn set, with the code that draws it."""
        entry = dataset(name)
        drawn_by = sorted(MINI_WORLD.rglob("*.py")) if entry.source.kind == "drawn" else []
        return digest({"entry": entry.model_dump(mode="json"), "code": code_digest(drawn_by)})

    @cached_property
    def _trained_from(self) -> dict[tuple[str, CacheKey], list[RunSpec]]:
        """By data set and cache, the runs that train on its images."""
        found = defaultdict(list)
        for run in (run for job in self.jobs.values() for run in job.trained):
            found[run.dataset, run.train_cache].append(run)
        return found

    def draws(self, name: str, key: CacheKey) -> list[tuple[int, int]] | None:
        """Every (shots, seed) whose few-shot images some run trains on from this cache; None: the whole part."""
        if key.part == "test":
            return None
        runs = self._trained_from.get((name, key), [])
        if any(run.shots is None for run in runs):
            return None
        searches = [search for search in self.searches.values() if search.dataset == name]
        path = self.paths.cache(name, *key)
        searches = [search for search in searches if path in self.search_caches(search).values()]
        return sorted(
            {(run.shots, draw_seed(run)) for run in runs} | {(each.shots, each.draw_seed) for each in searches}
        )

    @cached_property
    def _runs_with(self) -> dict[tuple[str, str], list[RunSpec]]:
        """By data set and backbone, every run."""
        found = defaultdict(list)
        for job in self.jobs.values():
            found[job.dataset, job.backbone] += job.runs
        return found

    def attribute_sources(self, dataset: str, backbone: str) -> list[str]:
        """The sources of sentences that some run reads with this backbone on this data set."""
        runs = self._runs_with.get((dataset, backbone), [])
        return sorted({run.attributes for run in runs if run.attributes})

    def uses_source_labels(self, dataset: str, backbone: str) -> bool:
        """Whether some run maps labels of this backbone to those of this data set."""
        return any(METHODS[run.method].maps_labels for run in self._runs_with.get((dataset, backbone), []))

    def attribute_files(self, dataset: str, backbone: str) -> dict[str, tuple[str, str]]:
        sources = self.attribute_sources(dataset, backbone)
        return {source: self.paths.attributes(source, dataset) for source in sources}

    def caches(self, job: Job) -> dict[CacheKey, str]:
        """Of the images that the job trains on or evaluates."""
        return {key: self.paths.cache(job.dataset, *key) for key in job.caches}

    def plain_cache(self, dataset: str, backbone_id: str) -> str:
        """Of the test images as the backbone itself takes them."""
        entry = backbone(backbone_id)
        return self.paths.cache(dataset, "test", entry.fit, entry.image_size)

    def files(self, artefacts: Iterable[str], formats: Iterable[str] | None = None) -> list[str]:
        """What is made of the artefacts, in all formats of their kind unless some are named."""
        chosen = [self.artefacts[id].artefact for id in artefacts]
        return [
            f"{self.paths.artefact(artefact)}.{suffix}"
            for artefact in chosen
            for suffix in formats or FORMATS[artefact.kind]
        ]

    def embedded_runs(self, planned: PlannedArtefact) -> list[RunSpec]:
        """The runs, of the first seed, whose embeddings a figure shows."""
        if not planned.artefact.needs.inspects:
            return []
        return [member.runs[0] for cell in planned.cells for member in cell.members]

    def _selected(self) -> list[str]:
        """What config.yaml asks for, without what the scale cannot make; asking for that by its id is a UserError."""
        wanted = list(self.project.selected())
        for id in wanted:
            if id in self.left_out and id in self.config.artefacts:
                raise self.left_out[id]
        return [id for id in wanted if id in self.artefacts]

    def _scored_and_searched(self) -> tuple[dict, dict, dict]:
        """By run id: what a run is scored on beside its own test, and the search it takes its attributes from; and
        every search by data set, backbone and id."""
        targets: dict[str, dict[Target, None]] = defaultdict(dict)
        search_of, searches = {}, [search for planned in self.artefacts.values() for search in planned.searches]
        for planned in self.artefacts.values():
            for member in (member for cell in planned.cells for member in cell.members):
                for run in member.runs:
                    both = (Target(run.dataset, "new"),) if run.protocol == "base_to_new" else ()
                    targets[run.id] |= dict.fromkeys(each for each in (*both, *member.scored) if each != run.target)
                    if member.search:
                        search_of[run.id] = member.search
        searches += search_of.values()
        by_place = {(search.dataset, search.backbone, search.id): search for search in searches}
        return {id: tuple(sorted(own)) for id, own in targets.items() if own}, search_of, by_place

    def _jobs(self) -> Iterable[Job]:
        """A run belongs to the first artefact, in canonical order, that needs it. Runs come seed by seed, so that
        another seed appends and moves nothing; runs without training ride with the first job of their group."""
        size = self.config.runs_per_job or self.scale.runs_per_job
        owned: set[str] = set()
        for id, planned in self.artefacts.items():
            groups: dict[tuple[str, str, str], list[RunSpec]] = defaultdict(list)
            for run in planned.runs:
                if run.id not in owned:
                    groups[run.dataset, run.backbone, run.protocol].append(run)
                    owned.add(run.id)
            for (data, tower, _), runs in groups.items():
                trained = sorted((run for run in runs if run.training), key=lambda run: run.seed)
                untrained = [run for run in runs if not run.training]
                chunks = [trained[i : i + size] for i in range(0, len(trained), size)] or [[]]
                for number, chunk in enumerate(chunks):
                    members = (untrained if number == 0 else []) + chunk
                    part = Path(chunk[0].id).name if size == 1 and chunk else str(number)
                    yield Job(f"{id}.{data}.{tower}.{part}", tuple(members))


@cache
def _code(module: str, within: tuple[str, ...]) -> str:
    return code_digest(source_files(module, within))


def make_plan(root: Path, config: dict[str, JsonValue]) -> Plan:
    """The plan of the project at ``root`` under a configuration; raises UserError."""
    return Plan(load_project(root, config))
