"""What a plan costs before anything runs: images to process, time on a named GPU, downloads, disk."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from papertables.attributes.catalog import attribute_source, published_file
from papertables.backbones.catalog import backbone
from papertables.data.catalog import dataset
from papertables.data.splits import chosen_labels
from papertables.errors import UserError
from papertables.methods import METHODS
from papertables.methods.mapping_options import MAPPINGS, makes_mapping
from papertables.methods.prompt_options import MOST_ATTRIBUTES
from papertables.plan import Job, Plan
from papertables.spec import RunSpec

JOB_START = 15.0  # seconds to start a process and load a backbone
BACKWARD = 2.0  # forward, and backward to the input: no gradient of a frozen weight is needed
MACS_PER_TOKEN = 12 * 12 * 512**2  # of the text tower that OpenAI's CLIPs up to ViT-B/16 share
NAME_TOKENS = 6  # of a class name with start, full stop and end, on average
UTILISATION = 0.35  # of the peak, as image towers usually reach
FP32_PEAK = {
    "V100": 15.7,
    "T4": 8.1,
    "A100": 19.5,
    "H100": 66.9,
    "RTX 3090": 35.6,
    "RTX 4090": 82.6,
}  # TFLOP/s
FP16_PEAK = {
    "V100": 125,
    "T4": 65,
    "A100": 312,
    "H100": 989,
    "RTX 3090": 71,
    "RTX 4090": 165,
}  # TFLOP/s, dense


@dataclass
class Cost:
    """Of an artefact, counting what no earlier artefact already counted."""

    jobs: int = 0
    runs: int = 0
    shared: int = 0  # runs that an earlier artefact owns
    images: int = 0  # through the image tower: trained and evaluated
    seconds: float = 0.0
    downloads: dict[str, int | None] = field(default_factory=dict)  # name: bytes, None where no source says
    disk: int = 0  # bytes of the caches


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


def estimate(plan: Plan) -> dict[str, Cost]:
    """Cost by artefact, in canonical order."""
    peaks = _peaks(plan)
    measured = measured_rates(Path(plan.paths.results) / "jobs")
    costs, seen = {}, set()
    for id, planned in plan.artefacts.items():
        cost = costs[id] = Cost()
        owned = [job for job in plan.jobs_for(id) if job.id.startswith(f"{id}.")]
        cost.jobs = len(owned)
        cost.runs = sum(len(job.runs) for job in owned)
        cost.shared = sum(1 for _ in planned.runs) - cost.runs
        for job in owned:
            trained, evaluated = (sum(column) for column in zip(*map(run_images, job.runs), strict=True))
            cost.images += trained + evaluated
            rate = measured.get(job.backbone)
            cost.seconds += JOB_START
            if rate:
                cost.seconds += (trained + evaluated) / rate
            else:
                cost.seconds += _counted_seconds(job, peaks)
            _add_files(plan, job, cost, seen)
    return costs


def measured_rates(jobs: Path) -> dict[str, float]:
    """Images per second by backbone: the median over the trainings that job files report."""
    rates = defaultdict(list)
    for file in jobs.glob("*.jsonl"):
        for line in file.read_text().splitlines():
            run = json.loads(line)
            if run["spec"]["training"] and run["outcome"] == "finished" and run["cost"]["seconds"] > 0:
                cost = run["cost"]
                rates[run["spec"]["backbone"]].append(cost["images"] * cost["group_size"] / cost["seconds"])
    return {name: median(values) for name, values in rates.items()}


def table(plan: Plan) -> str:
    """The estimate as text: a line per artefact, a total, and what it rests on."""
    costs = estimate(plan)
    header = ("artefact", "jobs", "runs", "shared", "images", "time", "download", "cache")
    rows = [(id, *_row(cost)) for id, cost in costs.items()]
    rows.append(("total", *_row(_sum(costs.values()))))
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [
        "  ".join(
            text.ljust(width) if i == 0 else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in [header, *rows]
    ]
    rule = "-" * len(lines[0])
    unknown = [name for cost in costs.values() for name, size in cost.downloads.items() if size is None]
    rates = measured_rates(Path(plan.paths.results) / "jobs")
    basis = f"counted FLOPs on one {plan.config.gpu} at {UTILISATION:.0%} of its peak"
    if rates:
        basis = f"images per second measured here for {', '.join(sorted(rates))}; else {basis}"
    notes = [
        f"scale {plan.scale.name}; time: {basis}, and {JOB_START:.0f} s to start a job.",
        "Shared: runs that an artefact above already has.",
    ]
    manual = _manual_steps(plan)
    if manual:
        notes.append(f"Steps of yours before these can be prepared: {'; '.join(manual)}.")
    if unknown:
        notes.append(f"No source gives the size of: {', '.join(unknown)}.")
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1], "", *notes])


def _manual_steps(plan: Plan) -> list[str]:
    names = dict.fromkeys(name for job in plan.jobs.values() for name in (job.dataset, *plan.target_datasets(job)))
    sets = [dataset(name) for name in names]
    return [f"{each.id}: {each.source.step.rstrip('.')}" for each in sets if each.source.kind == "manual"]


def _peaks(plan: Plan) -> tuple[float, float]:
    gpu = plan.config.gpu
    if gpu not in FP32_PEAK:
        raise UserError(f"config: gpu: unknown GPU '{gpu}': choose one of {', '.join(FP32_PEAK)}")
    return FP16_PEAK[gpu] * 1e12 * UTILISATION, FP32_PEAK[gpu] * 1e12 * UTILISATION


def _counted_seconds(job: Job, peaks: tuple[float, float]) -> float:
    half, single = peaks
    seconds = 0.0
    for run in job.runs:
        trained, evaluated = run_images(run)
        flops = 2e9 * backbone(run.backbone).gmacs
        fast = half if run.training and run.training.precision != "fp32" else single
        seconds += flops * (trained * BACKWARD / fast + evaluated / single)
        trained, evaluated = run_tokens(run)
        seconds += 2 * MACS_PER_TOKEN * (trained * BACKWARD / fast + evaluated / single)
    return seconds


def _add_files(plan: Plan, job: Job, cost: Cost, seen: set[str]) -> None:
    data, tower = dataset(job.dataset), backbone(job.backbone)
    files = {}
    for each in (data, *map(dataset, plan.target_datasets(job))):
        if each.source.kind != "drawn":
            files[each.label] = each.bytes
    if not tower.shipped:
        files[tower.label] = tower.bytes
    for source in {run.attributes for run in job.runs if run.attributes}:
        if not attribute_source(source).committed:
            found = [published_file(source, data.id, kind) for kind in ("des", "dist")]
            files[f"{source} sentences for {data.label}"] = sum(file.bytes for file in found)
    cost.downloads |= {name: size for name, size in files.items() if name not in seen}
    caches = {plan.plain_cache(data.id, tower.id): (data.test, tower.image_size)}
    for key, path in plan.caches(job).items():
        draws = plan.draws(data.id, key)
        train = data.train if draws is None else sum(min(shots * data.classes, data.train) for shots, _ in draws)
        caches[path] = (data.test if key.part == "test" else min(train, data.train), key.size)
    cost.disk += sum(3 * count * size * size for path, (count, size) in caches.items() if path not in seen)
    seen.update(files, caches)


def _sum(costs: Iterable[Cost]) -> Cost:
    total = Cost()
    for cost in costs:
        for name in ("jobs", "runs", "images", "seconds", "disk"):
            setattr(total, name, getattr(total, name) + getattr(cost, name))
        total.downloads |= cost.downloads
    return total


def _row(cost: Cost) -> tuple[str, ...]:
    download = sum(size or 0 for size in cost.downloads.values())
    sizes = (f"{download / 1e9:.1f} GB", f"{cost.disk / 1e9:.2f} GB")
    return (str(cost.jobs), str(cost.runs), str(cost.shared), f"{cost.images:,}", _time(cost.seconds), *sizes)


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
