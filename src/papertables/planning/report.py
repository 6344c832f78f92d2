"""What `plan` prints: what the artefacts that are asked for cost before anything runs."""

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from pydantic import JsonValue

from papertables.data.catalog import dataset
from papertables.planning.asking import asking_notes
from papertables.planning.cost import JOB_START, UTILISATION, Cost, duration, estimate, measured_rates, total
from papertables.planning.plan import Plan

HEADER = ("artefact", "jobs", "runs", "shared", "images", "time", "download", "cache")


def text(plan: Plan, artefacts: Iterable[str]) -> str:
    """A line per artefact, a subtotal per paper, the headlines, a total, and what the numbers rest on."""
    costs = estimate(plan, artefacts)
    rows: list[tuple[str, ...]] = [HEADER]
    for paper, ids in groupby(costs, lambda id: _paper(plan, id)):
        own = {id: costs[id] for id in ids}
        rows += [(), *((id, *_cells(cost)) for id, cost in own.items())]
        rows += [(f"{paper}, in all", *_cells(total(own.values())))] if len(own) > 1 else []
    rows += [(), *((name, *_cells(total(some.values()))) for name, some in _sums(plan, costs).items())]
    widths = [max(len(row[i]) for row in rows if row) for i in range(len(HEADER))]
    return "\n".join([*(_line(row, widths) for row in rows), "", *notes(plan, costs)])


def record(plan: Plan, artefacts: Iterable[str]) -> dict[str, JsonValue]:
    """The same as keys and values; sizes in bytes, times in seconds."""
    costs = estimate(plan, artefacts)
    rows = [{"artefact": id, "paper": _paper(plan, id), **_numbers(cost)} for id, cost in costs.items()]
    papers = {
        paper: _numbers(total(cost for id, cost in costs.items() if _paper(plan, id) == paper))
        for paper in dict.fromkeys(row["paper"] for row in rows)
    }
    sums = {name: _numbers(total(some.values())) for name, some in _sums(plan, costs).items()}
    return {"scale": plan.scale.name, "artefacts": rows, "papers": papers, **sums, "notes": notes(plan, costs)}


def _sums(plan: Plan, costs: dict[str, Cost]) -> dict[str, dict[str, Cost]]:
    """The headlines by themselves, where there is more than these, and everything."""
    headlines = [id for id in costs if plan.artefacts[id].artefact.headline]
    alone = {"headlines": estimate(plan, headlines)} if 0 < len(headlines) < len(costs) else {}
    return alone | {"total": costs}


def notes(plan: Plan, costs: dict[str, Cost]) -> list[str]:
    """What the numbers rest on, and what a user has to do by hand."""
    basis = f"counted FLOPs on one {plan.config.gpu} at {UTILISATION:.0%} of its peak"
    rates = measured_rates(Path(plan.paths.results) / "jobs")
    if rates:
        basis = f"images per second measured here for {', '.join(sorted(rates))}; else {basis}"
    found = [
        f"scale {plan.scale.name}; time: {basis}, and {JOB_START:.0f} s to start a job.",
        "Shared: runs that the jobs of an artefact above already make.",
    ]
    jobs = plan.jobs_for(*costs)
    names = dict.fromkeys(name for job in jobs for name in (job.dataset, *plan.transfer_datasets(job)))
    steps = [each for each in map(dataset, names) if each.source.kind == "manual"]
    if steps:
        told = "; ".join(f"{each.id}: {each.source.step.rstrip('.')}" for each in steps)
        found.append(f"Steps of yours before these can be prepared: {told}.")
    unknown = [name for cost in costs.values() for name, size in cost.downloads.items() if size is None]
    if unknown:
        found.append(f"No source gives the size of: {', '.join(unknown)}.")
    found += [f"Cannot be planned, and left out: {id}: {error}" for id, error in plan.broken.items()]
    return [*found, *asking_notes(plan, costs), *overridden(plan, costs)]


def overridden(plan: Plan, artefacts: Iterable[str]) -> list[str]:
    """Settings of single methods, or of the scale, that another layer overrides: a line for each."""
    lost: dict[tuple[str, str, str, str], dict[str, None]] = {}
    for id in artefacts:
        planned = plan.artefacts[id]
        for member in (member for cell in planned.cells for member in cell.members):
            for path, loser, winner in member.settings.overridden():
                lost.setdefault((planned.paper.id, path, loser, winner), {})[member.method] = None
    return [
        f"{paper}: {path} of {', '.join(methods)}: {winner} overrides {loser}."
        for (paper, path, loser, winner), methods in lost.items()
    ]


def _paper(plan: Plan, artefact: str) -> str:
    return plan.artefacts[artefact].paper.id


def _cells(cost: Cost) -> tuple[str, ...]:
    sizes = (f"{cost.download / 1e9:.1f} GB", f"{cost.disk / 1e9:.2f} GB")
    return (str(cost.jobs), str(cost.runs), str(cost.shared), f"{cost.images:,}", duration(cost.seconds), *sizes)


def _numbers(cost: Cost) -> dict[str, JsonValue]:
    names = ("jobs", "runs", "shared", "images", "seconds", "disk", "download")
    return {name: getattr(cost, name) for name in names}


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    """The cells side by side; a rule where there are none."""
    if not row:
        return "-" * (sum(widths) + 2 * (len(widths) - 1))
    return "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
