"""The first five minutes on a GPU: does every method train on it, as on the CPU, and how fast? Nothing is downloaded.

Each method with each backbone of the paper scale, at its true size with random weights: two steps of a few images in
fp32 on both devices, whose losses and first gradients have to agree; then steps of its own batch in its own precision,
which have to stay finite, and a test pass. Speeds and peaks of memory go to ``results/speeds.json``,
where ``plan`` finds them. Then what a job does beside steps, each with the smallest tower: an epoch with its crops and
its mapping pass and a test, of images that live on the device; and a step of an attribute search.

python benchmarks/gpu_check.py                 # or: make gpu-check, papertables gpu-check
python benchmarks/gpu_check.py --device cpu    # the mini scale on the CPU against itself: tries the check, not a GPU
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from papertables.backbones.catalog import backbone
from papertables.base.device import describe, make_deterministic, peak_memory_mb, pick_device
from papertables.base.errors import UserError, reason, unknown
from papertables.base.files import write_atomic
from papertables.data.cache import ImageCache
from papertables.data.feed import resident
from papertables.planning.measured import SPEEDS
from papertables.planning.memory import Row, kind_of
from papertables.planning.plan import make_plan
from papertables.results.searches import all_combinations
from papertables.specs.spec import RunSpec
from papertables.specs.validation import read_keys
from papertables.training.loop import FAST, TestSet, Trainer
from papertables.training.run import Run
from papertables.training.search import Search, Searcher
from papertables.training.trial import Trial, random_tower, trial

ROOT = Path(__file__).parents[1]
Result = TypeVar("Result")
DEVICES = ("cuda", "cpu")
CLASSES = 47  # of DTD, a set of middle size
FEW, STEPS, TIMED = 2, 2, 5
LOSS, GRADIENT = 1e-3, 1e-2  # relative, of fp32 on two devices
COURSES = {  # methods with each augmentation, and the label mapping that they then have
    ("vp", "resized_crop"): None,
    ("padding", "none"): "blmp",
    ("watermark", "crop_flip"): "ilm",
}
BATCH, IMAGES = 8, 20  # of an epoch and of its test
EPOCH = {"resized_crop": 1e-2}  # relative, of an epoch's loss: a GPU's crops are within a grey value of Pillow's
NAMES, BASES = ("red dog", "blue boat", "green ring"), ("color", "shape", "size")  # of a search
TOKENS = 100  # of a call, so that there are several


def kinds(scale: str) -> list[RunSpec]:
    """A run of each method with each backbone, of the largest batch."""
    plan, found = make_plan(ROOT, read_keys(ROOT / "config.yaml") | {"scale": scale, "artefacts": "all"}), {}
    for run in (run for job in plan.jobs.values() for run in job.trained):
        known = found.setdefault((run.backbone, run.method), run)
        if run.training.batch_size_for(run.shots) > known.training.batch_size_for(known.shots):
            found[run.backbone, run.method] = run
    return [found[key] for key in sorted(found)]


def trainer(made: Trial, device: torch.device, precision: str, batch: int, images: int | None = None) -> Trainer:
    """On a device, of one run. images: that it trains on, if not those of a batch."""
    training = made.spec.training.model_copy(update={"precision": precision, "batch_size": batch})
    run = Run(made.spec.id, made.learner, training, made.spec.seed or 0, np.arange(images or batch), names=made.names)
    return Trainer([run], made.tower, device, made.spec.image_size, batch, made.spec.images.augmentation)


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

    def two_steps(where: torch.device) -> tuple[list[float], Tensor]:
        made = trial(spec, random_tower(spec.backbone, where), CLASSES)
        return steps(trainer(made, where, "fp32", FEW), made, STEPS, FEW)

    return apart(*on_both(two_steps, device))


def on_both(work: Callable[[torch.device], Result], device: torch.device) -> list[Result]:
    """What some work in fp32 gives on the CPU, and on the device."""
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        return [work(torch.device("cpu")), work(device)]


def apart(expected: tuple[list[float], Tensor], found: tuple[list[float], Tensor]) -> tuple[float, float]:
    """How far losses and a gradient are from what is expected, relative."""
    (theirs, gradient), (ours, other) = expected, found
    loss = max(abs(one - known) / max(abs(known), 1e-6) for one, known in zip(ours, theirs, strict=True))
    return loss, float((other - gradient).norm() / gradient.norm().clamp(min=1e-12))


def courses(specs: Iterable[RunSpec]) -> list[RunSpec]:
    """Of each method and augmentation of theirs the run with the smallest tower."""
    found = []
    for course, mapping in COURSES.items():
        able = (spec for spec in specs if (spec.method, spec.images.augmentation) == course)
        spec = min(able, key=lambda spec: backbone(spec.backbone).gmacs)
        options = spec.options | ({"mapping": mapping} if mapping else {})
        found.append(spec.model_copy(update={"options": options}))
    return found


def limit(spec: RunSpec) -> float:
    """Of what the loss of an epoch may be off."""
    return EPOCH.get(spec.images.augmentation, LOSS)


def course(spec: RunSpec, device: torch.device) -> tuple[float, float]:
    """How far the loss of an epoch is from that on the CPU, relative, and in how many more images a test differs than
    in one, which rounding may turn."""

    def epoch(where: torch.device) -> tuple[float, float]:
        made, rows = trial(spec, random_tower(spec.backbone, where), CLASSES), np.arange(IMAGES)
        one, side = trainer(made, where, "fp32", BATCH, IMAGES), spec.image_size
        longer = side // 4 if spec.images.augmentation == "resized_crop" else 0
        train, test = drawn(side + spec.images.margin, longer), drawn(side)
        one.epoch(1, resident(train, rows, where))
        (run,) = one.runs
        tested = TestSet(test.labels, resident(test, rows, where), rows, made.names)
        return run.curve[0].train_loss, one.accuracies([run], tested)[0]

    (loss, accuracy), (ours, tested) = on_both(epoch, device)
    turned = round(abs(tested - accuracy) / 100 * IMAGES)
    return abs(ours - loss) / abs(loss), max(0, turned - 1)


def drawn(side: int, longer: int = 0) -> ImageCache:
    """Images of random bytes, square, or by turns wider and higher than that."""
    sizes = np.array([(side + longer * (i % 2), side + longer * (1 - i % 2)) for i in range(IMAGES)])
    offsets = np.concatenate([[0], np.cumsum(3 * sizes.prod(axis=1))])
    content = np.random.default_rng(side).integers(0, 256, offsets[-1], dtype=np.uint8)
    return ImageCache(np.arange(IMAGES), np.arange(IMAGES) % CLASSES, sizes, offsets, content)


def search(spec: RunSpec, device: torch.device) -> tuple[float, float]:
    """How far both losses of a search's step, with a run's tower, and the gradient of its contexts are from those of
    the CPU, relative."""

    def step(where: torch.device) -> tuple[list[float], Tensor]:
        tower, stream = random_tower(spec.backbone, where), torch.Generator().manual_seed(0)
        learner = Search(tower.text, tower.logit_scale, NAMES, all_combinations(BASES), 4).to(where)
        searcher = Searcher(learner, tower, weight_lr=0.02, tokens_per_call=TOKENS)
        features = torch.randn(BATCH, backbone(spec.backbone).embed_dim, generator=stream).to(where)
        labels = torch.randint(len(NAMES), (BATCH,), generator=stream).to(where)
        fitted, _ = searcher.learn_contexts(features, labels, 0.002)
        gradient = learner.vectors.grad.flatten().double().cpu()
        weighed, _ = searcher.learn_weights(features, labels)
        return [fitted.item(), weighed.item()], gradient

    return apart(*on_both(step, device))


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


def row_of(spec: RunSpec, device: torch.device) -> dict:
    loss, gradient = agreement(spec, device)
    row = speed(spec, device) | {"loss_off": loss, "gradient_off": gradient}
    return row | {"agrees": row["finite"] and loss <= LOSS and gradient <= GRADIENT}


def check(device: torch.device, specs: Sequence[RunSpec]) -> list[dict]:
    """A line for each method and backbone as it is done; what torch refuses is in no row."""
    found = []
    for spec in specs:
        row = attempt(spec.method, spec.backbone, partial(row_of, spec, device))
        if row:
            found.append(row)
            print(line(row), flush=True)
    return found


def check_beside(device: torch.device, specs: Sequence[RunSpec]) -> dict[str, bool]:
    """A line for each thing that a job does beside steps; by what it is, whether it agrees."""
    found = {}
    prompted = next(spec for spec in specs if spec.method == "coop")
    tries = [(f"{spec.method}, epoch", spec, course, (limit(spec), 0)) for spec in courses(specs)]
    for name, spec, work, limits in [*tries, ("search", prompted, search, (LOSS, GRADIENT))]:
        off = attempt(name, spec.backbone, partial(work, spec, device))
        agrees = off is not None and all(each <= limit for each, limit in zip(off, limits, strict=True))
        found[f"{name} with {spec.backbone}"] = agrees
        if off:
            verdict, second = "agrees" if agrees else "DIFFERS", "gradient" if work is search else "images of its test"
            print(f"{name:>16} {spec.backbone:<14} {verdict} (loss {off[0]:.0e}, {second} {off[1]:.0e})", flush=True)
    return found


def attempt(name: str, backbone: str, work: Callable[[], Result]) -> Result | None:
    """None, with a line, where torch refuses it, which is what is looked for here."""
    try:
        return work()
    except RuntimeError as error:
        print(f"{name:>10} {backbone:<14} FAILS: {reason(error)}", flush=True)
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    asked = parser.parse_args().device
    if asked not in DEVICES:
        sys.exit(f"error: {unknown('device', asked, DEVICES)}")
    if asked == "cuda" and not torch.cuda.is_available():
        sys.exit("error: torch finds no GPU here, so none was checked (--device cpu tries the check itself)")
    try:
        with warnings.catch_warnings(record=True) as caught:
            device, specs = pick_device(asked), kinds("paper" if asked == "cuda" else "mini")
            make_deterministic(device)
            found, beside = check(device, specs), check_beside(device, specs)
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
    wrong += [name for name, agrees in beside.items() if not agrees]
    if wrong:
        tried = len(specs) + len(beside)
        sys.exit(f"error: {describe(device)}: {len(wrong)} of {tried} do not compute as the CPU: {', '.join(wrong)}")
    print(
        f"{describe(device)}: all {len(specs)} methods and backbones train as on the CPU, and so do whole epochs with "
        "their tests and a search"
    )


if __name__ == "__main__":
    main()
