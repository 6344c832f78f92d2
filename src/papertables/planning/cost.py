"""What a plan costs before anything runs: images to process, time on a named GPU or this CPU, downloads, disk."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from papertables.backbones.catalog import backbone
from papertables.data.catalog import Dataset, dataset
from papertables.planning.downloads import downloads
from papertables.planning.jobs import Job
from papertables.planning.measured import Measured, corrections, pass_of
from papertables.planning.plan import Plan
from papertables.planning.speeds import Cores, seconds
from papertables.planning.work import Work, frozen_work, run_work, search_work, together
from papertables.specs.config import Selection
from papertables.specs.spec import CacheKey, RunSpec

JOB_START = 15.0  # seconds to start a process and load a backbone


class Lever(NamedTuple):
    """What makes a plan cheaper; None leaves what the configuration says."""

    fast: bool | None = None
    selection: Selection | None = None


AS_ASKED = Lever()


@dataclass
class Cost:
    """What an artefact costs, without what an artefact before it already counted. purposes: the seconds by what they
    are for, ``starting`` jobs among it. lengths: of its jobs, in seconds."""

    jobs: int = 0
    runs: int = 0
    shared: int = 0  # runs that the jobs of an artefact before it already make
    images: int = 0  # through the image tower: trained and looked at
    purposes: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    lengths: list[float] = field(default_factory=list)
    downloads: dict[str, int | None] = field(default_factory=dict)  # name: bytes, None where no source says
    disk: int = 0  # bytes of the caches

    @property
    def seconds(self) -> float:
        return sum(self.purposes.values())

    @property
    def download(self) -> int:
        """Bytes, as far as sources say."""
        return sum(size or 0 for size in self.downloads.values())


class Estimator:
    """The time of a plan's jobs: counted operations at the speeds of its machine, corrected where passes have been
    measured. measured: what ``corrections`` says, for who asks often; read where it is not given."""

    def __init__(
        self, plan: Plan, artefacts: Iterable[str] = (), lever: Lever = AS_ASKED, measured: Measured | None = None
    ):
        self.plan, self.machine = plan, plan.machine
        self.fast = plan.fast if lever.fast is None else lever.fast
        self.tests = plan.tests_with(lever.selection, artefacts) if lever.selection else plan.tests
        self.corrections = corrections(plan) if measured is None else measured
        self.known: dict[str, list[Work]] = {}  # runs that differ in their seed do the same

    def work(self, job: Job) -> Iterator[Work]:
        return together((run, self._alone(run)) for run in job.runs)

    def _alone(self, run: RunSpec) -> list[Work]:
        first = self.plan.first_seed[run.id]
        if first not in self.known:
            works = run_work(run, self.plan.targets.get(run.id, ()), self.tests[run.id], self.fast)
            self.known[first] = list(works)
        return self.known[first]

    def job(self, job: Job) -> float:
        """Seconds, from its start on."""
        return JOB_START + sum(self.seconds(job.backbone, each) for each in self.work(job))

    def seconds(self, tower: str, work: Work) -> float:
        return self.corrections.get(pass_of(tower, work), 1.0) * seconds(self.machine, work)


def estimate(
    plan: Plan, artefacts: Iterable[str], lever: Lever = AS_ASKED, measured: Measured | None = None
) -> dict[str, Cost]:
    """Cost by artefact, in the order given."""
    artefacts = tuple(artefacts)
    estimator = Estimator(plan, artefacts, lever, measured)
    costs, seen = {}, set()
    for id in artefacts:
        cost = costs[id] = Cost()
        jobs = _count(cost, estimator, id, seen)
        new = {run.id for job in jobs for run in job.runs}
        cost.jobs, cost.runs = len(jobs), len(new)
        cost.shared = sum(run.id not in new for run in plan.artefacts[id].runs)
        for caches in (_caches(plan, job) for job in jobs):
            cost.disk += sum(size for path, (_, size) in caches.items() if path not in seen)
            seen.update(caches)
        needed = downloads(plan, [id])
        cost.downloads = {name: size for name, size in needed.items() if name not in seen}
        seen.update(needed)
    return costs


def spent(plan: Plan, artefacts: Iterable[str], lever: Lever, measured: Measured | None = None) -> float:
    """The seconds of all artefacts together, as ``estimate`` counts them."""
    artefacts, seen = tuple(artefacts), set()
    estimator, whole = Estimator(plan, artefacts, lever, measured), Cost()
    for id in artefacts:
        _count(whole, estimator, id, seen)
    return whole.seconds


def total(costs: Iterable[Cost]) -> Cost:
    """What artefacts cost together."""
    whole = Cost()
    for cost in costs:
        for name in ("jobs", "runs", "shared", "images", "disk"):
            setattr(whole, name, getattr(whole, name) + getattr(cost, name))
        for purpose, spent in cost.purposes.items():
            whole.purposes[purpose] += spent
        whole.lengths += cost.lengths
        whole.downloads |= cost.downloads
    return whole


def _count(cost: Cost, estimator: Estimator, id: str, seen: set) -> list[Job]:
    """Adds what computes for an artefact and for none before it: jobs, which it returns, searches that it shows or that
    come before them, and the features of test images, which the first of them makes that reads them."""
    plan = estimator.plan
    jobs = [job for job in plan.jobs_for(id) if job.id not in seen]
    runs = [run.id for job in jobs for run in job.runs]
    searches = [*plan.artefacts[id].searches, *(plan.search_of[run] for run in runs if run in plan.search_of)]
    found = {(search.dataset, search.backbone, search.id) for search in searches} - seen
    places = {(name, job.backbone) for job in jobs for name in (job.dataset, *plan.transfer_datasets(job))} - seen
    works = [(job.backbone, estimator.work(job)) for job in jobs]
    works += [(place[1], search_work(plan.searches[place])) for place in sorted(found)]
    cost.lengths += [JOB_START + _add(cost, estimator, *each) for each in works]
    cost.purposes["starting"] += JOB_START * len(works)
    for name, tower in sorted(places):
        _add(cost, estimator, tower, [frozen_work(name, backbone(tower))])
    seen.update(found, places, (job.id for job in jobs))
    return jobs


def _add(cost: Cost, estimator: Estimator, tower: str, works: Iterable[Work]) -> float:
    """The seconds that this takes."""
    length = 0.0
    for work in works:
        own = estimator.seconds(tower, work)
        cost.purposes[work.purpose] += own
        cost.images += round(work.images)
        length += own
    return length


def cpu_seconds(plan: Plan, jobs: Iterable[Job]) -> float:
    """About how long jobs take on the CPU of this machine."""
    cores, estimator = Cores(count=os.cpu_count() or 1), Estimator(plan)
    return sum(seconds(cores, work) for job in jobs for work in estimator.work(job))


def cached_bytes(plan: Plan, artefacts: Iterable[str]) -> dict[str, int]:
    """By data set, the bytes of its caches."""
    files = {path: cache for job in plan.jobs_for(*artefacts) for path, cache in _caches(plan, job).items()}
    sizes = defaultdict(int)
    for name, size in files.values():
        sizes[name] += size
    return sizes


def _caches(plan: Plan, job: Job) -> dict[str, tuple[str, int]]:
    """The caches of images that a job reads: by path, of which data set, and their bytes."""
    data, tower, needed = dataset(job.dataset), backbone(job.backbone), plan.inputs.train(job.id)
    tests = {plan.paths.plain_cache(name, tower.id): name for name in (data.id, *needed.transfer.frozen)}
    tests |= {path: name for name, path in needed.transfer.images.items()}
    sizes = {path: (name, dataset(name).test * _pixel_bytes(tower.image_size)) for path, name in tests.items()}
    for key, path in needed.caches.items():
        each = _file_bytes(data) if key.fit == "original" else _pixel_bytes(key.size)
        sizes[path] = data.id, cached_images(plan, data.id, key) * each
    return sizes


def cached_images(plan: Plan, name: str, key: CacheKey) -> int:
    """How many images of a data set a cache holds, about: seeds may draw the same ones."""
    data, draws = dataset(name), plan.inputs.draws(name, key)
    train = data.train if draws is None else sum(min(shots * data.classes, data.train) for shots, _ in draws)
    return {"test": data.test, "val": data.val}.get(key.part, min(train, data.train))


def _pixel_bytes(side: int) -> int:
    """The bytes of an image of this side."""
    return 3 * side * side


def _file_bytes(data: Dataset) -> int:
    """The bytes of an image as it was downloaded, on average; 0 where no source says."""
    return (data.bytes or 0) // (data.train + data.val + data.test)


def duration(seconds: float) -> str:
    """In words: ``90 s``, ``40 min``, ``3.0 h``, ``2,850 h``, ``37 years``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    hours = seconds / 3600
    return f"{hours:,.{1 if hours < 100 else 0}f} h" if hours < 20_000 else f"{hours / 8766:,.0f} years"
