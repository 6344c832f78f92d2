"""The first five minutes on a GPU: does every method train on it, as on the CPU, and how fast? Nothing is downloaded.

Each method with each backbone of the paper scale, at its true size with random weights: two steps of a few images in
fp32 on both devices, whose losses and first gradients have to agree; then steps of its own batch in its own precision,
which have to stay finite, and a test pass. Speeds and peaks of memory go to ``results/speeds.json``,
where ``plan`` finds them.

python benchmarks/gpu_check.py                 # or: make gpu-check, papertables gpu-check
python benchmarks/gpu_check.py --device cpu    # the mini scale on the CPU against itself: tries the check, not a GPU
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from papertables.backbones.state import one_line
from papertables.base.device import describe, make_deterministic, peak_memory_mb, pick_device
from papertables.base.errors import UserError
from papertables.base.files import read_yaml, write_atomic
from papertables.planning.measured import SPEEDS
from papertables.planning.memory import Row, kind_of
from papertables.planning.plan import make_plan
from papertables.specs.spec import RunSpec
from papertables.training.loop import FAST, Trainer
from papertables.training.run import Run
from papertables.training.trial import Trial, random_tower, trial

ROOT = Path(__file__).parents[1]
CLASSES = 47  # of DTD, a set of middle size
FEW, STEPS, TIMED = 2, 2, 5
LOSS, GRADIENT = 1e-3, 1e-2  # relative, of fp32 on two devices


def kinds(scale: str) -> list[RunSpec]:
    """A run of each method with each backbone, of the largest batch."""
    plan, found = make_plan(ROOT, read_yaml(ROOT / "config.yaml") | {"scale": scale, "artefacts": "all"}), {}
    for run in (run for job in plan.jobs.values() for run in job.trained):
        known = found.setdefault((run.backbone, run.method), run)
        if run.training.batch_size_for(run.shots) > known.training.batch_size_for(known.shots):
            found[run.backbone, run.method] = run
    return [found[key] for key in sorted(found)]


def trainer(made: Trial, device: torch.device, precision: str, batch: int) -> Trainer:
    """On a device, of one run."""
    training = made.spec.training.model_copy(update={"precision": precision, "batch_size": batch})
    run = Run(made.spec.id, made.learner, training, made.spec.seed or 0, np.arange(batch), names=made.names)
    return Trainer([run], made.tower, device, made.spec.image_size, batch)


def steps(one: Trainer, made: Trial, count: int, batch: int) -> tuple[list[float], torch.Tensor]:
    """The losses of some steps, and the gradient of the first, on the CPU."""
    (run,), losses, gradient = one.runs, [], None
    run.learner.train()
    for step in range(count):
        images, labels = made.batch(batch, one.device, seed=step)
        losses.append(one.step([run], [images], [labels], [run.lrs(0, step, count)]).losses.item())
        if gradient is None:
            found = [each.grad.flatten() for each in run.learner.parameters() if each.grad is not None]
            gradient = torch.cat(found).double().cpu()
    return losses, gradient


def agreement(spec: RunSpec, device: torch.device) -> tuple[float, float]:
    """How far losses and the first gradient are from those of the CPU, relative."""
    found = []
    for where in (torch.device("cpu"), device):
        made = trial(spec, random_tower(spec.backbone, where), CLASSES)
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            found.append(steps(trainer(made, where, "fp32", FEW), made, STEPS, FEW))
    (theirs, expected), (ours, gradient) = found
    loss = max(abs(one - other) / max(abs(other), 1e-6) for one, other in zip(ours, theirs, strict=True))
    return loss, float((gradient - expected).norm() / expected.norm().clamp(min=1e-12))


def timed(work: Callable[[], object], device: torch.device, count: int = TIMED) -> float:
    """Seconds of one, after one to warm up."""
    work()
    _wait(device)
    began = time.perf_counter()
    for _ in range(count):
        work()
    _wait(device)
    return (time.perf_counter() - began) / count


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def speed(spec: RunSpec, device: torch.device) -> dict:
    """Of training in its own precision and batch, and of a test pass, published and fast; and the peak of memory."""
    made, batch = trial(spec, random_tower(spec.backbone, device), CLASSES), spec.training.batch_size_for(spec.shots)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    one = trainer(made, device, spec.training.precision, batch)
    losses, _ = steps(one, made, STEPS, batch)
    images, labels = made.batch(batch, device)
    step = timed(lambda: one.step(one.runs, [images], [labels], [one.runs[0].lrs(0, 0, 1)]), device)
    peak, tests = peak_memory_mb(device), {}
    for name, one.fast in (("published", None), ("fast", FAST if device.type == "cuda" else None)):
        with torch.inference_mode():
            looked = timed(lambda: one._looked_at(one.runs, [made.learner.eval()], [images]), device)
        tests[name] = round(batch / looked, 1)
    told = dict(zip(Row._fields, kind_of(spec), strict=False))
    return told | {
        "gpu": describe(device),
        "spec": spec.model_dump(mode="json"),
        "batch": batch,
        "finite": bool(np.isfinite(losses).all()),
        "cut_to": one.room.images,
        "trained_per_second": round(batch / step, 1),
        "tested_per_second": tests,
        "peak_memory_mb": round(peak),
    }


def line(row: dict) -> str:
    """What is printed of a method and a backbone."""
    verdict, tested = "agrees" if row["agrees"] else "DIFFERS", row["tested_per_second"]
    return (
        f"{row['method']:>10} {row['backbone']:<14} {verdict} (loss {row['loss_off']:.0e}, gradient "
        f"{row['gradient_off']:.0e}), {row['trained_per_second']:,.0f} images/s trained, {tested['published']:,.0f} "
        f"tested, {tested['fast']:,.0f} fast, {row['peak_memory_mb'] / 1000:.1f} GB"
    )


def check(device: torch.device, specs: Sequence[RunSpec]) -> list[dict]:
    """A line for each method and backbone as it is done; what torch refuses is in no row."""
    make_deterministic(device)
    found = []
    for spec in specs:
        try:
            loss, gradient = agreement(spec, device)
            row = speed(spec, device) | {"loss_off": loss, "gradient_off": gradient}
        except RuntimeError as error:  # of torch, which is what is looked for here
            print(f"{spec.method:>10} {spec.backbone:<14} FAILS: {one_line(error)}", flush=True)
            continue
        row["agrees"] = row["finite"] and loss <= LOSS and gradient <= GRADIENT
        found.append(row)
        print(line(row), flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    asked = parser.parse_args().device
    if asked == "cuda" and not torch.cuda.is_available():
        sys.exit("error: torch finds no GPU here, so none was checked (--device cpu tries the check itself)")
    try:
        with warnings.catch_warnings(record=True) as caught:
            device, specs = pick_device(asked), kinds("paper" if asked == "cuda" else "mini")
            found = check(device, specs)
    except UserError as error:
        sys.exit(f"error: {error}")
    operations = sorted(
        {str(each.message).partition(" ")[0] for each in caught if "deterministic" in str(each.message)}
    )
    if operations:
        print(f"without a deterministic form here, so that the last digits may differ: {', '.join(operations)}")
    if asked == "cuda":
        write_atomic(Path("results") / SPEEDS, json.dumps(found, indent=1).encode())
    right = {(row["method"], row["backbone"]) for row in found if row["agrees"]}
    wrong = [f"{spec.method} with {spec.backbone}" for spec in specs if (spec.method, spec.backbone) not in right]
    if wrong:
        sys.exit(
            f"error: {describe(device)}: {len(wrong)} of {len(specs)} do not train as on the CPU: {', '.join(wrong)}"
        )
    print(f"{describe(device)}: all {len(specs)} methods and backbones train as on the CPU")


if __name__ == "__main__":
    main()
