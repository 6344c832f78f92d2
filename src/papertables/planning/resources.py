"""What a job asks of a cluster: minutes and memory, more of both with every attempt. A function for each fact."""

from collections.abc import Iterable
from functools import cache
from math import ceil

from papertables.backbones.catalog import backbone
from papertables.planning.cost import Estimator, cached_images
from papertables.planning.plan import Plan
from papertables.planning.work import Work, frozen_work, inspect_work, search_work
from papertables.specs.spec import CacheKey, ShownPart

START = 600.0  # seconds until a job is at work on a node that has read nothing yet from a shared disk
MARGIN = 2.0  # over an estimate
HOUR = 3600.0
DECODED = 100.0  # images a second, of files of half a megapixel from a shared disk; 400 and more from one's own
PROCESS = 4000  # MB of Python, torch, CUDA's libraries and a backbone; without a GPU 1,100 were seen
ORIGINALS = 2100  # MB of decoded images that a job keeps


def minutes(seconds: float, attempt: int) -> int:
    """The limit of time for a job that is estimated to take so many seconds."""
    return ceil((START + MARGIN * seconds) / 60 * attempt)


def train_seconds(plan: Plan, id: str) -> float:
    """Of a training job: by measured speeds where there are any; with the frozen features of all images that it is
    tested on, for it may be the first that reads them."""
    job = plan.jobs[id]
    tower = backbone(job.backbone)
    frozen = (frozen_work(name, tower) for name in (job.dataset, *plan.transfer_datasets(job)))
    return _estimator(plan).job(job) + _seconds(plan, job.backbone, frozen)


def search_seconds(plan: Plan, name: str, tower: str, search: str) -> float:
    """Of an attribute search."""
    return _seconds(plan, tower, search_work(plan.searches[name, tower, search]))


def inspect_seconds(plan: Plan, run: str, part: ShownPart) -> float:
    """Of what a figure shows of a run."""
    spec = plan.inputs.inspect(run, part).run
    return _seconds(plan, spec.backbone, inspect_work(spec, part))


def cache_seconds(plan: Plan, name: str, key: CacheKey) -> float:
    """Of a cache of images."""
    return cached_images(plan, name, key) / DECODED


def memory_mb(attempt: int, originals: bool = False) -> int:
    """Of the process; originals: whether it decodes images while it trains."""
    return (PROCESS + ORIGINALS * originals) * attempt


def _seconds(plan: Plan, tower: str, works: Iterable[Work]) -> float:
    return sum(_estimator(plan).seconds(tower, work) for work in works)


@cache
def _estimator(plan: Plan) -> Estimator:
    """Made once, for thousands of jobs ask."""
    return Estimator(plan)
