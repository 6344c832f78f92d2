"""The pages over what is made, where Snakemake ends before all of it is."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from papertables.commands.progress import ARTEFACTS
from papertables.planning.plan import Plan


def show_so_far(plan: Plan, dag, logs: Mapping[str, str]) -> str | None:
    """Writes the pages, and ``runs.csv`` if there is none, over the selected artefacts that are made, with the names of
    those that are not, if pages were asked for. dag: Snakemake's. logs: by run, what its job writes. The line to tell;
    None where nothing was written, as beside Snakemake alone, which does not bring what draws pages."""
    left = [(job.rule.name, job.wildcards_dict) for job in dag.needrun_jobs()]
    if not any(rule == "index" for rule, _ in left) or not find_spec("pandas"):
        return None
    unmade = {plan.artefact_at(each["paper"], each["name"]).artefact.id for rule, each in left if rule in ARTEFACTS}
    listed = {planned.artefact.id: (planned, files) for planned, files in plan.inputs.listed.artefacts}
    made = [id for id in listed if id not in unmade]
    if not made:
        return None
    from papertables.artefacts.collect import gather, write_runs_csv
    from papertables.artefacts.index import write_pages
    from papertables.artefacts.run_pages import Results

    metrics = {run: each for id in made for run, each in gather(*listed[id]).items()}
    if not Path(plan.paths.runs_csv).exists():
        write_runs_csv(metrics, Path(plan.paths.runs_csv))
    results = Results(
        artefacts=[Path(file) for file in plan.files(made, ["json"])],
        planned=[listed[id][0] for id in made],
        metrics=metrics,
        logs={run: Path(file) for run, file in logs.items()},
        unmade=[listed[id][0].artefact for id in listed if id in unmade],
    )
    write_pages(Path(plan.paths.index).parent, results, plan.scale, plan.config)
    return f"{plan.paths.index} shows what is made: {len(made)} of {len(listed)} tables and figures"
