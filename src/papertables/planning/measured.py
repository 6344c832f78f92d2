"""Speeds that were measured here, in the place of counted ones."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import NamedTuple

from pydantic import JsonValue

from papertables.methods.table import METHODS
from papertables.planning.plan import Plan
from papertables.planning.speeds import seconds
from papertables.planning.work import Precision, Work, run_work, together
from papertables.specs.spec import EVALUATE_EVERY, RunSpec

SPEEDS = "speeds.json"  # in results: what papertables gpu-check timed


class Pass(NamedTuple):
    """What is as fast as each other: training steps of a backbone, or passes without a gradient of one precision."""

    backbone: str
    looking: Precision | None = None


Measured = Mapping[Pass, float]


def pass_of(tower: str, work: Work) -> Pass | None:
    """None of a search, which nothing here times."""
    if work.purpose == "searches":
        return None
    return Pass(tower, None if work.purpose == "training" else work.precision)


def corrections(plan: Plan) -> Measured:
    """How many times longer than counted passes take on the machine that is planned for: the median over jobs that have
    ended there; where there is none, over what ``papertables gpu-check`` timed. A job's time is not known by its
    passes, so it stands for all of them that it made."""
    found = defaultdict(list)
    for file in (Path(plan.paths.results) / "jobs").glob("*.jsonl"):
        runs = [*_ended(plan, file)]
        if runs:
            tower, made = runs[0][1].backbone, [*together((spec, works) for _, spec, works in runs)]
            ratio = sum(took for took, *_ in runs) / sum(seconds(plan.machine, work) for work in made)
            for each in {pass_of(tower, work) for work in made}:
                found[each].append(ratio)
    return {each: median(ratios) for each, ratios in (_checked(plan) | found).items()}


def _ended(plan: Plan, file: Path) -> Iterator[tuple[float, RunSpec, list[Work]]]:
    """The trained runs of a job that ended on the machine that is planned for: the seconds of each, and what it
    computed."""
    for line in file.read_text("utf-8", errors="replace").splitlines():
        with suppress(ValueError, KeyError, TypeError):  # a damaged line, which who shows its run refuses
            run = json.loads(line)
            if run["spec"]["training"] and run["outcome"] == "finished" and _is_of(plan, run["cost"]["device"]):
                yield run["cost"]["seconds"] / run["cost"]["group_size"], *_computed(run)


def _is_of(plan: Plan, device: str) -> bool:
    """Whether a device's own name is that of the machine which is planned for."""
    return device.startswith("cpu") if plan.device == "cpu" else plan.config.gpu in device


def _computed(record: dict[str, JsonValue]) -> tuple[RunSpec, list[Work]]:
    """A run and what it computed; its record is taken unchecked."""
    training = {key: value for key, value in record["spec"]["training"].items() if key != EVALUATE_EVERY}
    spec = RunSpec.model_validate(record["spec"] | {"training": training})
    tests = sum(epoch["test_accuracy"] is not None for epoch in record["curve"])
    fast = (record.get("computed") or {}).get("tests") == "fast"
    return spec, [*run_work(spec, (), spec.training.epochs // tests, fast)]


def _checked(plan: Plan) -> dict[Pass, list[float]]:
    """By what a check of the GPU that is planned for timed. Methods that learn prompts are not among them: what these
    cost follows their data sets' classes."""
    found = defaultdict(list)
    with suppress(OSError, ValueError, KeyError, TypeError):  # gone or damaged: no result rests on it
        for row in json.loads((Path(plan.paths.results).parent / SPEEDS).read_text("utf-8")):
            spec = RunSpec.model_validate(row["spec"])
            if _is_of(plan, row["gpu"]) and not METHODS[spec.method].learns_prompts:
                for each, rate, counted in _timed(plan, spec, row):
                    found[each].append(1 / (rate * counted))
    return found


def _timed(plan: Plan, spec: RunSpec, row: dict[str, JsonValue]) -> Iterator[tuple[Pass, float, float]]:
    """Of the passes that a row of the check timed, images a second and the seconds that an image is counted with."""
    rates = row["tested_per_second"]
    for purpose, fast, rate in (
        ("training", False, row["trained_per_second"]),
        ("tests", False, rates["published"]),
        ("tests", True, rates["fast"]),
    ):
        works = [work for work in run_work(spec, fast=fast) if work.purpose == purpose]
        images = max((work.images for work in works), default=0)  # a mask network's have none
        if images:
            counted = sum(seconds(plan.machine, work) for work in works) / images
            yield pass_of(spec.backbone, works[0]), rate, counted
