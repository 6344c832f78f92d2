"""What is looked at on this machine before anything starts: folders, files, a GPU."""

import os
from collections.abc import Iterable
from pathlib import Path
from shutil import which

from papertables.base.errors import UserError
from papertables.planning.cost import cpu_seconds, duration, estimate, total
from papertables.planning.plan import Plan

BEARABLE = 24 * 3600.0  # seconds of training on a CPU that nobody has to be asked about


def check_files(plan: Plan) -> None:
    """Raises UserError for a data folder that cannot be one, shared folders or weights of the user's that are not
    there, and braces in a path, which Snakemake takes for a wildcard."""
    folder = Path(plan.config.data_root).absolute()
    for what, path in {"the project": plan.paths.root, "the working folder": Path.cwd(), "data_root": folder}.items():
        if {*"{}"} & {*str(path)}:
            raise UserError(
                f"{what} is {path}, and Snakemake takes {{ and }} for wildcards: take a folder without them"
            )
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir():
        raise UserError(f"config: data_root is {plan.config.data_root}, but {nearest} is a file: name a folder")
    for shared in map(Path, plan.config.shared_data):
        if not shared.is_dir():
            raise UserError(f"config: shared_data: there is no folder {shared}")
        if folder.resolve().is_relative_to(shared.resolve()):
            raise UserError(
                f"config: data_root is {folder}, inside {shared}, and nothing is written into shared_data: name another"
            )
    for name, own in plan.config.weights.items():
        if not Path(own.path).is_file():
            raise UserError(f"config: weights: {name}: there is no file {own.path}")


def check_scheduler(executor: str) -> None:
    """Raises UserError where jobs are to be sent to Slurm and its commands are not here."""
    if executor == "slurm" and not which("sbatch"):
        raise UserError(
            "the profile sends jobs to Slurm, but there is no sbatch here: start it where sbatch is found, as on a "
            "login node (module load slurm), or leave out --workflow-profile profiles/slurm"
        )


def check_tests(plan: Plan, artefacts: Iterable[str]) -> None:
    """Raises UserError for a figure of tests on the way that the configuration does not name, where it has runs tested
    after the last epoch alone but for what it names."""
    for id in artefacts if plan.config.selection == "last" else ():
        if plan.artefacts[id].artefact.shows_tests and id not in plan.selected:
            raise UserError(
                f"{id} shows tests on the way, and with selection=last only what is configured is tested so: add "
                f"--config 'artefacts=[{id}]', or leave selection out"
            )


def check_gpu(plan: Plan, artefacts: Iterable[str]) -> None:
    """Raises UserError where jobs that are still to be run want a GPU and this machine has none: at once for
    ``cuda`` and ``cuda:N``; for ``auto`` where a CPU would take more than a day, with what it would cost here and what
    else there is."""
    if plan.device == "cpu" or gpu_found():
        return
    jobs = [job for job in plan.jobs_for(*artefacts) if not Path(plan.paths.job(job.id)).exists()]
    if not jobs:
        return
    if plan.device != "auto":
        raise UserError(f"device is {plan.device}, but this machine has no GPU: --config device=auto or device=cpu")
    seconds = cpu_seconds(plan, jobs)
    if seconds > BEARABLE:
        cost = total(estimate(plan, artefacts).values())
        raise UserError(
            f"no GPU here, and {sum(len(job.runs) for job in jobs):,} runs of scale {plan.scale.name} would take this "
            f"CPU about {duration(seconds)} ({duration(cost.seconds)} on one "
            f"{plan.config.gpu}), after up to {cost.download / 1e9:.0f} GB of downloads: take a machine with a GPU, "
            "a cluster (--workflow-profile profiles/slurm) or --config scale=mini; --config device=cpu insists"
        )


def gpu_found() -> bool:
    """Whether a GPU's driver is at work here and not hidden; asked without torch, which a plan does not need."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    drivers = ("proc/driver/nvidia/gpus/*", "dev/nvidia[0-9]*", "dev/kfd", "dev/dxg")  # NVIDIA, AMD, Windows' Linux
    return any(next(Path("/").glob(driver), None) for driver in drivers)
