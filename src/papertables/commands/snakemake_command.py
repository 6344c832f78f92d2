"""The command by which a user started Snakemake, as far as it matters before the first job."""

import sys
from dataclasses import dataclass

READING = (  # arguments that make Snakemake do something else than run jobs
    *("dryrun", "touch", "lint", "list_rules", "list_target_rules", "print_compilation", "dag", "rulegraph"),
    *("filegraph", "d3dag", "summary", "detailed_summary", "report", "containerize", "generate_unit_tests", "archive"),
    *("unlock", "cleanup_metadata", "cleanup_shadow", "delete_all_output", "delete_temp_output", "list_untracked"),
    *("list_changes", "list_input_changes", "list_params_changes", "conda_cleanup_envs", "conda_create_envs_only"),
    *("list_conda_envs", "container_cleanup_images"),
)


@dataclass(frozen=True)
class Command:
    """targets: names and files, none where the configuration chooses. runs: whether jobs are run, and not only looked
    at. executor: who runs them. locks: whether no other run may make the same files meanwhile."""

    targets: tuple[str, ...]
    runs: bool
    executor: str
    locks: bool

    @property
    def local(self) -> bool:
        """Whether jobs run on this machine."""
        return self.executor == "local"


def snakemake_command() -> Command | None:
    """What Snakemake's command line holds, profiles included; None where Snakemake is used as a library.

    A Snakefile is read before Snakemake hands its targets to the workflow, so they are taken from the caller."""
    frame = sys._getframe()
    while frame is not None and frame.f_code.co_name != "args_to_api":
        frame = frame.f_back
    if frame is None:
        return None
    arguments = frame.f_locals["args"]
    runs = not any(getattr(arguments, name, None) for name in READING)
    return Command(
        targets=tuple(arguments.targets or ()),
        runs=runs,
        executor=arguments.executor or "local",
        locks=runs and not arguments.nolock,
    )
