"""The pages over what is made, where Snakemake ends before all of it is."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from papertables.base.errors import UserError
from papertables.commands.progress import ARTEFACTS
from papertables.planning.plan import Plan


def show_so_far(plan: Plan, dag, logs: Mapping[str, str]) -> str | None:
    """Writes the pages, and ``runs.csv`` if there is none, over the selected artefacts that are made, with the names of
    those that are not, if pages were asked for. dag: Snakemake's. logs: by run, what its job writes. The line to tell;
    None where nothing was written, as beside Snakemake alone, which does not bring what draws pages."""
    left = [(job.rule.name, job.wildcards_dict) for job in dag.needrun_jobs()]
    unmade = {plan.artefact_at(each["paper"], each["name"]).artefact.id for rule, each in left if rule in ARTEFACTS}
    listed = plan.inputs.listed.artefacts
    made = [(planned, files) for planned, files in listed if planned.artefact.id not in unmade]
    if not (unmade and made and any(rule == "index" for rule, _ in left) and find_spec("pandas")):
        return None
    from papertables.artefacts.collect import write_runs_csv
    from papertables.artefacts.index import write_pages
    from papertables.artefacts.run_pages import gathered

    files = plan.files((planned.artefact.id for planned, _ in made), ["json"])
    lacking = [planned.artefact for planned, _ in listed if planned.artefact.id in unmade]
    try:
        results = gathered(files, made, logs, lacking)
    except UserError:  # which the job told that it stopped
        return None
    if not Path(plan.paths.runs_csv).exists():
        write_runs_csv(results.metrics, Path(plan.paths.runs_csv))
    write_pages(Path(plan.paths.index).parent, results, plan.scale, plan.config)
    return f"{plan.paths.index} shows what is made: {len(made)} of {len(listed)} tables and figures"
