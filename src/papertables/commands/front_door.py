"""What is checked, or answered, between a user's command and the first job."""

import sys
from pathlib import Path

from papertables.artefacts.pdf import find_browser
from papertables.commands.other_runs import check_alone
from papertables.commands.snakemake_command import Command
from papertables.commands.unrecorded import unrecorded
from papertables.planning import report as plan_report
from papertables.planning.adopt import adopt
from papertables.planning.asking import check_asking, sentence_notes
from papertables.planning.downloads import check_downloads, prepared_files
from papertables.planning.plan import Plan
from papertables.planning.preflight import check_files, check_gpu, check_scheduler, check_tests
from papertables.planning.targets import ADOPT, FETCH, PDF, PLAN, asked, left_behind
from papertables.planning.whereabouts import steps_of_the_user
from papertables.results.format import check_format


def enter(plan: Plan, command: Command | None) -> None:
    """Raises UserError for a command that cannot work here. Answers ``snakemake plan`` and exits before Snakemake looks
    at its lock, so that the answer disturbs no pipeline that is running."""
    check_files(plan)
    earlier = check_format(Path(plan.paths.runs))
    if command is None:
        return
    if earlier and command.runs:
        print(earlier, file=sys.stderr)
    if ADOPT in command.targets:
        print("\n".join(adopt(plan)))
        sys.exit()
    wanted = asked(plan, [target for target in command.targets if target != PLAN])
    if PLAN not in command.targets:
        for id, reason in left_behind(plan, command.targets).items():
            print(f"{id} cannot be planned, the rest is made without it: {reason}", file=sys.stderr)
    else:
        print(plan_report.text(plan, wanted))
        sys.exit()
    if command.runs:
        check_scheduler(command.executor)
        for told in filter(None, (unrecorded(plan, wanted), steps_of_the_user(plan, wanted))):
            print(told, file=sys.stderr)
    check_tests(plan, [artefact for artefact, runs in wanted.items() if runs])
    if command.locks:
        check_alone(plan, wanted)
    prepared = prepared_files(plan)
    beyond = [target for target in command.targets if target not in prepared]
    check_downloads(plan, asked(plan, beyond) if beyond or not command.targets else (), command.targets)
    if command.runs and {*command.targets} != {FETCH}:
        check_asking(plan, wanted)
        for line in sentence_notes(plan, wanted):
            print(line, file=sys.stderr)
    if command.runs and {PDF, plan.paths.pdf} & {*command.targets}:
        find_browser()
    if command.runs and command.local:
        check_gpu(plan, [artefact for artefact, runs in wanted.items() if runs])
