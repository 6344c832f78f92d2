"""What a plan fetches: data sets, weights and published sentences."""

from collections.abc import Iterable

from papertables.attributes.catalog import attribute_source, language_models, published_file
from papertables.backbones.catalog import backbone
from papertables.base.errors import UserError
from papertables.data.catalog import dataset
from papertables.planning.plan import Plan


def downloads(plan: Plan, artefact: str) -> dict[str, int | None]:
    """What an artefact needs that does not come with the project: by name its bytes, None where no source says."""
    jobs = plan.jobs_for(artefact)
    searches = [*plan.artefacts[artefact].searches]
    searches += [plan.search_of[run.id] for job in jobs for run in job.runs if run.id in plan.search_of]
    sets = [name for job in jobs for name in (job.dataset, *plan.transfer_datasets(job))]
    sets = map(dataset, dict.fromkeys(sets + [search.dataset for search in searches]))
    towers = map(backbone, dict.fromkeys([job.backbone for job in jobs] + [search.backbone for search in searches]))
    found = {each.label: each.bytes for each in sets if each.source.kind != "drawn"}
    found |= {each.label: each.bytes for each in towers if not (each.shipped or each.id in plan.config.weights)}
    sentences = {(run.attributes, run.dataset): None for job in jobs for run in job.runs if run.attributes}
    sentences |= dict.fromkeys(plan.artefacts[artefact].sentences.values())
    for source, name in sentences:
        if source not in language_models() and not attribute_source(source).committed:
            files = [published_file(source, name, kind) for kind in ("des", "dist")]
            found[f"{source} sentences for {dataset(name).label}"] = sum(file.bytes for file in files)
    return found


def check_downloads(plan: Plan, artefacts: Iterable[str]) -> None:
    """Raises UserError where one of them has to fetch something, and neither scale nor configuration lets it."""
    allowed = plan.scale.downloads if plan.config.downloads is None else plan.config.downloads
    for artefact in () if allowed else artefacts:
        needed = ", ".join(downloads(plan, artefact))
        if needed:
            who = "the configuration" if plan.config.downloads is False else f"scale {plan.scale.name}"
            raise UserError(
                f"{artefact} needs {needed}, and {who} downloads nothing: allow it with --config downloads=true"
            )
