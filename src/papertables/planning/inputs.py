"""What the jobs of each rule are given, from a plan: see ``papertables.specs.rules``."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from papertables.attributes.catalog import attribute_sources, language_models
from papertables.backbones.catalog import backbone
from papertables.data.catalog import dataset
from papertables.data.splits import draw_seed
from papertables.methods.table import METHODS, Method
from papertables.planning.planned import PlannedArtefact
from papertables.planning.scope import Scope
from papertables.specs.claims import Claim
from papertables.specs.config import OwnWeights
from papertables.specs.language_models import Kind, LanguageModel
from papertables.specs.rules import (
    ArtefactFiles,
    BasesJob,
    DescribeJob,
    Files,
    Frozen,
    InspectJob,
    Named,
    Prepared,
    SearchJob,
    Sentences,
    TeacherFiles,
    Training,
    TrainJob,
    Transfer,
)
from papertables.specs.spec import SHOWN_CACHES, TRAIN_ORIGINALS, CacheKey, RunSpec, SearchSpec, ShownPart

if TYPE_CHECKING:
    from papertables.planning.plan import Plan


@dataclass(frozen=True)
class Listed:
    """What the table of all runs lists: artefacts, each with its files. A record, for Snakemake compares lists, and the
    places of files with them."""

    artefacts: tuple[tuple[PlannedArtefact, ArtefactFiles], ...]


@dataclass(frozen=True)
class Claimed:
    """What the verdicts on a paper are made from. claims: by name. artefacts: that these are of and that are asked for,
    each with its files. tables: by id the JSON files of the paper's own, and of computed ones that claims are of.
    elsewhere: why other artefacts that claims are of are not there."""

    scope: Scope
    claims: Mapping[str, Claim]
    artefacts: tuple[tuple[PlannedArtefact, ArtefactFiles], ...]
    tables: Mapping[str, str]
    elsewhere: Mapping[str, str]

    @property
    def files(self) -> Files:
        listed = [files.files for _, files in self.artefacts]
        both = {name: [path for each in listed for path in each[name]] for name in ("jobs", "searches", "inspections")}
        return {name: list(dict.fromkeys(paths)) for name, paths in both.items()} | {"tables": [*self.tables.values()]}


class Inputs:
    """What the jobs of one plan are given, by the wildcards of their rules."""

    def __init__(self, plan: "Plan"):
        self.plan, self.paths = plan, plan.paths

    def prepared(self, name: str) -> Prepared:
        return Prepared(self.paths.split(name), self.paths.manifest(name))

    def named(self, name: str) -> Named:
        """Not what a language model answers, for that is made anew where classes change; but what is written in the
        place of it."""
        files = [
            (source, file) for source in sorted(attribute_sources()) for file in self.paths.sentences(source, name)
        ]
        kept = (file for source, file in files if source not in language_models() or self.paths.place(file).committed)
        return Named(self.paths.split(name), tuple(kept))

    def describe(self, source: str, name: str, kind: Kind) -> DescribeJob:
        return DescribeJob(*self._asking(source, name), kind)

    def bases(self, source: str, name: str) -> BasesJob:
        return BasesJob(*self._asking(source, name))

    def draws(self, name: str, key: CacheKey) -> list[tuple[int, int]] | None:
        """Every (shots, seed) whose few-shot images some run or search sees in this cache; None: the whole part."""
        whole = ("train_whole", "test", *SHOWN_CACHES.values())
        return None if key.part in whole else self._draws.get((name, key), [])

    def frozen(self, name: str, tower: str) -> Frozen:
        return Frozen(
            self.paths.frozen_features(name, tower),
            *self._backbone(tower),
            self.prepared(name),
            self.paths.plain_cache(name, tower),
            dataset(name).template,
            source_labels=(name, tower) in self._mapped_on,
            ensemble=(name, tower) in self._kept_near,
        )

    def sentences(self, name: str, tower: str, source: str) -> Sentences:
        path = self.paths.sentence_features(name, tower, source)
        return Sentences(path, *self._backbone(tower), self.paths.sentences(source, name))

    def train(self, id: str) -> TrainJob:
        job, paths = self.plan.jobs[id], self.paths
        targets = {run.id: self.plan.targets[run.id] for run in job.trained if run.id in self.plan.targets}
        others = self.plan.transfer_datasets(job)
        seeing = [run for run in job.trained if METHODS[run.method].prompts_images]
        seen = {(target.dataset, run.test_cache) for run in seeing for target in targets.get(run.id, ())}
        return TrainJob(
            job.runs,
            self.frozen(job.dataset, job.backbone),
            caches={key: paths.cache(job.dataset, *key) for key in job.caches},
            sentences={each: self.sentences(job.dataset, job.backbone, each) for each in job.attributes},
            searches={id: paths.search(search) for id, search in self._searches_of(job.runs).items()},
            transfer=Transfer(
                targets,
                frozen={name: self.frozen(name, job.backbone) for name in others},
                images={name: paths.cache(name, *key) for name, key in sorted(seen) if name != job.dataset},
            ),
            numerics=self.plan.config.numerics,
            tests={run.id: self.plan.tests[run.id] for run in job.trained},
            teachers={id: self._teacher(teacher) for id, teacher in job.teachers.items()},
        )

    @property
    def training(self) -> Training:
        """What all training jobs share."""
        config = self.plan.config
        shared = (self.paths.runs, self.paths.checkpoints, self.plan.device)
        return Training(*shared, retrain=config.retrain, checkpoint_seconds=config.checkpoint_seconds)

    def search(self, name: str, tower: str, id: str) -> SearchJob:
        search = self.plan.searches[name, tower, id]
        caches = (self.paths.cache(name, *key) for key in _caches_of(search))
        own = self.paths.own_weights.get(tower)
        bases = self.paths.answered(search.source, name, "bases") if search.source else None
        return SearchJob(search, self.prepared(name), self.paths.weights(tower), *caches, own, bases)

    def inspect(self, id: str, part: ShownPart) -> InspectJob:
        run, paths = self.plan.run(id), self.paths
        return InspectJob(
            run,
            paths.job(self.plan.job_of[id]),
            self.frozen(run.dataset, run.backbone),
            part,
            plain=paths.plain_cache(run.dataset, run.backbone, part),
            own=paths.cache(run.dataset, *run.shown_cache(part)),
            sentences=self.sentences(run.dataset, run.backbone, run.attributes) if run.attributes else None,
        )

    def jobs(self, *artefacts: str) -> tuple[str, ...]:
        """What the jobs that own the artefacts' runs write; nothing where tables are made of what is there."""
        if self.plan.config.partial:
            return ()
        jobs = dict.fromkeys(job.id for id in artefacts for job in self.plan.jobs_for(id))
        return tuple(self.paths.job(job) for job in jobs)

    def artefact(self, planned: PlannedArtefact) -> ArtefactFiles:
        folder = self.paths.published(planned.paper.id)
        return ArtefactFiles(
            self.jobs(planned.artefact.id),
            folder,
            tuple(f"{folder}/{published.file}" for published in planned.artefact.published),
            searches=tuple(self.paths.search(search) for search in planned.searches),
            inspections={
                run.id: self.paths.inspection(run.id, planned.selection, planned.artefact.part)
                for run in self.plan.inspected(planned)
            },
            store=self.paths.runs,
            training=self._training(planned.artefact.id) if self.plan.config.partial else (),
            manifests={name: self.paths.manifest(name) for name in planned.datasets},
            sentences={place: self.paths.sentences(*place) for place in planned.sentences.values()},
        )

    def verdicts(self, paper: str) -> Claimed:
        plan, claims = self.plan, self.plan.project.claims[paper]
        wanted = dict.fromkeys(each.artefact for claim in claims.values() for each in claim.holds_if)
        chosen = [plan.artefacts[id] for id in wanted if id in plan.selected]
        own = [id for id in plan.selected if plan.artefacts[id].paper.id == paper]
        tables = [*own, *(each.artefact.id for each in chosen if each.artefact.computed)]
        return Claimed(
            Scope(plan.project.papers[paper], plan.scale, plan.config),
            claims,
            tuple((planned, self.artefact(planned)) for planned in chosen),
            {id: plan.files([id], ["json"])[0] for id in tables if plan.artefacts[id].artefact.kind == "table"},
            {id: plan.why_not(id) for id in wanted if id not in plan.selected},
        )

    def _asking(self, source: str, name: str) -> tuple[str, str, Prepared, LanguageModel, str]:
        model = self.plan.language_models[source]
        return name, dataset(name).task, self.prepared(name), model, self.paths.answers(source)

    @property
    def listed(self) -> Listed:
        chosen = [self.plan.artefacts[id] for id in self.plan.selected]
        return Listed(tuple((planned, self.artefact(planned)) for planned in chosen))

    def _training(self, artefact: str) -> tuple[TrainJob, ...]:
        return tuple(self.train(job.id) for job in self.plan.jobs_for(artefact))

    def _backbone(self, tower: str) -> tuple[str, str, OwnWeights | None]:
        return tower, self.paths.weights(tower), self.paths.own_weights.get(tower)

    def _teacher(self, run: RunSpec) -> TeacherFiles:
        search = self.plan.search_of.get(run.id)
        return TeacherFiles(
            run,
            self.paths.job(self.plan.job_of[run.id]),
            self.frozen(run.dataset, run.backbone),
            search and self.paths.search(search),
        )

    def _searches_of(self, runs: tuple[RunSpec, ...]) -> dict[str, SearchSpec]:
        return {run.id: self.plan.search_of[run.id] for run in runs if run.id in self.plan.search_of}

    @cached_property
    def _draws(self) -> dict[tuple[str, CacheKey], list[tuple[int, int]] | None]:
        """By data set and cache, what ``draws`` says."""
        found = defaultdict(set)
        for run in (run for job in self.plan.jobs.values() for run in job.trained):
            found[run.dataset, run.train_cache].add(run.shots and (run.shots, draw_seed(run)))
        for search in self.plan.searches.values():
            for key in _caches_of(search):
                found[search.dataset, key].add((search.shots, search.draw_seed))
        return {place: None if None in seen else sorted(seen) for place, seen in found.items()}

    @cached_property
    def _mapped_on(self) -> set[tuple[str, str]]:
        """The data sets and backbones whose labels some run maps."""
        return self._places(lambda method: method.maps_labels)

    @cached_property
    def _kept_near(self) -> set[tuple[str, str]]:
        """The data sets and backbones to which what some run learns is kept near."""
        return self._places(lambda method: method.stays_near)

    def _places(self, chosen: Callable[[Method], bool]) -> set[tuple[str, str]]:
        """The data sets and backbones of runs of some methods."""
        jobs = self.plan.jobs.values()
        return {(job.dataset, job.backbone) for job in jobs for run in job.runs if chosen(METHODS[run.method])}


def _caches_of(search: SearchSpec) -> tuple[CacheKey, CacheKey]:
    """The images that a search trains and validates on."""
    return TRAIN_ORIGINALS, CacheKey(search.validation_part, "crop", backbone(search.backbone).image_size)
