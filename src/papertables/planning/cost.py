"""What a plan costs before anything runs: images to process, time on a named GPU, downloads, disk."""

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from papertables.backbones.catalog import backbone
from papertables.data.catalog import Dataset, dataset
from papertables.data.splits import chosen_labels
from papertables.methods.mapping_names import MAPPINGS, makes_mapping
from papertables.methods.options import MOST_ATTRIBUTES
from papertables.methods.table import METHODS
from papertables.planning.downloads import downloads
from papertables.planning.plan import Job, Plan
from papertables.specs.config import Gpu
from papertables.specs.spec import RunSpec

JOB_START = 15.0  # seconds to start a process and load a backbone
BACKWARD = 2.0  # forward, and backward to the input: no gradient of a frozen weight is needed
MACS_PER_TOKEN = 12 * 12 * 512**2  # of the text tower that OpenAI's CLIPs up to ViT-B/16 share
NAME_TOKENS = 6  # of a class name with start, full stop and end, on average
UTILISATION = 0.35  # of the peak, as image towers usually reach
CPU_CORE = 75e9  # FLOP/s in fp32, seen with ResNet-18 and ViT-B/16 on a server's core of 2023
FP32_PEAK: dict[Gpu, float] = {
    "V100": 15.7,
    "T4": 8.1,
    "A100": 19.5,
    "H100": 66.9,
    "RTX 3090": 35.6,
    "RTX 4090": 82.6,
}  # TFLOP/s
FP16_PEAK: dict[Gpu, float] = {
    "V100": 125,
    "T4": 65,
    "A100": 312,
    "H100": 989,
    "RTX 3090": 71,
    "RTX 4090": 165,
}  # TFLOP/s, dense


@dataclass
class Cost:
    """What an artefact costs, without what an artefact before it already counted."""

    jobs: int = 0
    runs: int = 0
    shared: int = 0  # runs that the jobs of an artefact before it already make
    images: int = 0  # through the image tower: trained and evaluated
    seconds: float = 0.0
    downloads: dict[str, int | None] = field(default_factory=dict)  # name: bytes, None where no source says
    disk: int = 0  # bytes of the caches

    @property
    def download(self) -> int:
        """Bytes, as far as sources say."""
        return sum(size or 0 for size in self.downloads.values())


def run_images(run: RunSpec) -> tuple[int, int]:
    """(images trained on, images only looked at) of a run over all its epochs."""
    data = dataset(run.dataset)
    if run.training is None:
        return 0, data.test
    classes = len(chosen_labels(data.classes, run.trained_classes))
    train = data.train if run.shots is None else min(run.shots * classes, data.train)
    train, epochs = round(train * (run.fraction or 1)), run.training.epochs
    mapping, passes = run.options.get("mapping"), 0  # over the training set, to make the mapping
    if makes_mapping(mapping):
        passes = epochs if MAPPINGS[mapping][1] == "epoch" else 1
    return train * epochs, data.test * -(-epochs // run.training.evaluate_every) + train * passes


def run_tokens(run: RunSpec) -> tuple[int, int]:
    """(tokens trained on, tokens only looked at) through the text tower, of a run that learns prompts."""
    method, training = METHODS[run.method], run.training
    if not method.learns_prompts:
        return 0, 0
    data, options = dataset(run.dataset), run.options
    classes = len(chosen_labels(data.classes, run.trained_classes))
    attributes = options["attributes"]
    anchors = len(attributes) if isinstance(attributes, list) else MOST_ATTRIBUTES
    tokens = classes * (NAME_TOKENS + options["context"] * (1 + anchors) + anchors)
    per_image = "cocoop" in (run.method, options.get("prompt"))
    trained, looked_at = run_images(run)
    calls = trained if per_image else trained / training.batch_size
    return round(tokens * calls), round(tokens * (looked_at if per_image else 1))


def estimate(plan: Plan, artefacts: Iterable[str]) -> dict[str, Cost]:
    """Cost by artefact, in the order given."""
    rates = measured_rates(Path(plan.paths.results) / "jobs")
    costs, counted, seen = {}, set(), set()
    for id in artefacts:
        jobs = [job for job in plan.jobs_for(id) if job.id not in counted]
        counted.update(job.id for job in jobs)
        new = {run.id for job in jobs for run in job.runs}
        cost = costs[id] = Cost(len(jobs), len(new), sum(run.id not in new for run in plan.artefacts[id].runs))
        for job in jobs:
            cost.images += job_images(job)
            cost.seconds += job_seconds(plan, job, rates)
            caches = _caches(plan, job)
            cost.disk += sum(size for path, (_, size) in caches.items() if path not in seen)
            seen.update(caches)
        needed = downloads(plan, [id])
        cost.downloads = {name: size for name, size in needed.items() if name not in seen}
        seen.update(needed)
    return costs


def total(costs: Iterable[Cost]) -> Cost:
    """What artefacts cost together."""
    whole = Cost()
    for cost in costs:
        for name in ("jobs", "runs", "shared", "images", "seconds", "disk"):
            setattr(whole, name, getattr(whole, name) + getattr(cost, name))
        whole.downloads |= cost.downloads
    return whole


def remaining_seconds(plan: Plan, jobs: Iterable[Job]) -> float:
    """About how long jobs take, one after the other, where the plan computes."""
    if plan.device == "cpu":
        return sum(map(cpu_seconds, jobs))
    rates = measured_rates(Path(plan.paths.results) / "jobs")
    return sum(job_seconds(plan, job, rates) for job in jobs)


def job_images(job: Job) -> int:
    """Images through the image tower: trained and evaluated."""
    return sum(sum(run_images(run)) for run in job.runs)


def job_seconds(plan: Plan, job: Job, rates: Mapping[str, float]) -> float:
    """About how long a job takes on the configured GPU. rates: images per second by backbone, where they are known."""
    rate = rates.get(job.backbone)
    return JOB_START + (job_images(job) / rate if rate else _counted_seconds(job, *gpu_speeds(plan.config.gpu)))


def gpu_speeds(gpu: Gpu) -> tuple[float, float]:
    """FLOP/s in half and single precision, as usually reached."""
    return FP16_PEAK[gpu] * 1e12 * UTILISATION, FP32_PEAK[gpu] * 1e12 * UTILISATION


def cpu_seconds(job: Job, cores: int | None = None) -> float:
    """About how long a job takes on so many cores of a CPU; None: on all of this machine."""
    rate = CPU_CORE * (cores or os.cpu_count() or 1)
    return _counted_seconds(job, rate, rate)


def measured_rates(jobs: Path) -> dict[str, float]:
    """Images per second by backbone: the median over the trainings that job files report."""
    rates = defaultdict(list)
    for file in jobs.glob("*.jsonl"):
        for line in file.read_text("utf-8", errors="replace").splitlines():
            with suppress(ValueError, KeyError, TypeError):  # a damaged line, which who shows its run refuses
                run = json.loads(line)
                if run["spec"]["training"] and run["outcome"] == "finished" and run["cost"]["seconds"] > 0:
                    cost = run["cost"]
                    rates[run["spec"]["backbone"]].append(cost["images"] * cost["group_size"] / cost["seconds"])
    return {name: median(values) for name, values in rates.items()}


def _counted_seconds(job: Job, half: float, single: float) -> float:
    """half, single: FLOP/s in half and single precision."""
    seconds = 0.0
    for run in job.runs:
        trained, evaluated = run_images(run)
        flops = 2e9 * backbone(run.backbone).gmacs
        fast = half if run.training and run.training.precision != "fp32" else single
        seconds += flops * (trained * BACKWARD / fast + evaluated / single)
        trained, evaluated = run_tokens(run)
        seconds += 2 * MACS_PER_TOKEN * (trained * BACKWARD / fast + evaluated / single)
    return seconds


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
    tests = {plan.paths.plain_cache(name, tower.id): name for name in (data.id, *needed.transfer.prepared)}
    tests |= {path: name for name, path in needed.transfer.images.items()}
    sizes = {path: (name, dataset(name).test * _pixel_bytes(tower.image_size)) for path, name in tests.items()}
    for key, path in needed.caches.items():
        draws = plan.inputs.draws(data.id, key)
        train = data.train if draws is None else sum(min(shots * data.classes, data.train) for shots, _ in draws)
        count = data.test if key.part == "test" else min(train, data.train)
        sizes[path] = data.id, count * (_file_bytes(data) if key.fit == "original" else _pixel_bytes(key.size))
    return sizes


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
