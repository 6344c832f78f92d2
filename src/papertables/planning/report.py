"""What `plan` prints: what the artefacts that are asked for cost before anything runs."""

from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise

from pydantic import JsonValue

from papertables.planning.asking import asking_notes
from papertables.planning.cost import JOB_START, Cost, Lever, duration, estimate, spent, total
from papertables.planning.measured import corrections
from papertables.planning.memory import memory_cell, memory_notes
from papertables.planning.plan import Plan
from papertables.planning.whereabouts import COLUMNS, cells, steps_of_the_user, whereabouts

LENGTHS = (0, 900, 3600, 4 * 3600, 12 * 3600, float("inf"))  # seconds, by which jobs are counted
LEVERS = {"numerics: fast": Lever(fast=True), "selection: last": Lever(selection="last"), "both": Lever(True, "last")}
HEADER = ("artefact", "jobs", "runs", "shared", "images", "time", "download", "cache", "memory")


def text(plan: Plan, artefacts: Iterable[str]) -> str:
    """A line per artefact, a subtotal per paper, the headlines, a total, and what the numbers rest on."""
    costs = estimate(plan, artefacts)
    rows: list[tuple[str, ...]] = [HEADER]
    for paper, ids in groupby(costs, lambda id: _paper(plan, id)):
        own = {id: costs[id] for id in ids}
        rows += [(), *((id, *_cells(cost), memory_cell(plan, [id])) for id, cost in own.items())]
        rows += [(f"{paper}, in all", *_cells(total(own.values())), memory_cell(plan, own))] if len(own) > 1 else []
    sums = _sums(plan, costs).items()
    rows += [(), *((name, *_cells(total(some.values())), memory_cell(plan, some)) for name, some in sums)]
    return "\n".join([*_lines(rows), "", *_sets(plan, costs), *_levers(plan, costs), *notes(plan, costs)])


def record(plan: Plan, artefacts: Iterable[str]) -> dict[str, JsonValue]:
    """The same as keys and values; sizes in bytes, times in seconds."""
    costs = estimate(plan, artefacts)
    rows = [{"artefact": id, "paper": _paper(plan, id), **_numbers(cost)} for id, cost in costs.items()]
    papers = {
        paper: _numbers(total(cost for id, cost in costs.items() if _paper(plan, id) == paper))
        for paper in dict.fromkeys(row["paper"] for row in rows)
    }
    sums = {name: _numbers(total(some.values())) for name, some in _sums(plan, costs).items()}
    told = {"artefacts": rows, "papers": papers, **sums, "data": whereabouts(plan, costs), "notes": notes(plan, costs)}
    return {"scale": plan.scale.name, **told, "levers": levers(plan, costs)}


def levers(plan: Plan, costs: dict[str, Cost]) -> dict[str, dict[str, float]]:
    """By lever that is not set yet, the seconds of each of the sums with it."""
    sums = {name: [*some] for name, some in _sums(plan, costs).items()}
    chosen = LEVERS.items() if plan.device != "cpu" else ()
    return {name: {key: spent(plan, ids, lever) for key, ids in sums.items()} for name, lever in chosen}


def _sums(plan: Plan, costs: dict[str, Cost]) -> dict[str, dict[str, Cost]]:
    """The headlines by themselves, where there is more than these, and everything."""
    headlines = [id for id in costs if plan.artefacts[id].artefact.headline]
    alone = {"headlines": estimate(plan, headlines)} if 0 < len(headlines) < len(costs) else {}
    return alone | {"total": costs}


def _levers(plan: Plan, costs: dict[str, Cost]) -> list[str]:
    """What would make it cheaper, a line each, with what it saves; nothing where all runs on a CPU."""
    asked = {name: total(some.values()).seconds for name, some in _sums(plan, costs).items()}
    rows = [(name, *_with(asked, found)) for name, found in levers(plan, costs).items()]
    header = ("what makes it cheaper", *(cell for name in asked for cell in (name, "")))
    return [*_lines([header, (), ("as asked", *_with(asked, asked)), *rows]), ""] if rows else []


def _with(asked: dict[str, float], found: dict[str, float]) -> Iterator[str]:
    """Two cells for each sum: the time, and the share that is saved."""
    for name, now in asked.items():
        yield duration(found[name])
        yield f"-{1 - found[name] / now:.0%}" if found[name] < now else ""


def _jobs(cost: Cost) -> str:
    """How many jobs of what length."""
    counts = [(low, high, sum(low <= each < high for each in cost.lengths)) for low, high in pairwise(LENGTHS)]
    told = [
        f"{count:,} of {duration(low)} and more" if high == LENGTHS[-1] else f"{count:,} below {duration(high)}"
        for low, high, count in counts
        if count
    ]
    longest = duration(max(cost.lengths, default=0))
    return f"Jobs by estimated time, searches too: {', '.join(told)}; the longest takes {longest}."


def _purposes(cost: Cost) -> str:
    parts = sorted(cost.purposes.items(), key=lambda part: -part[1])
    return f"Of it: {', '.join(f'{name} {duration(spent)}' for name, spent in parts)}."


def notes(plan: Plan, costs: dict[str, Cost]) -> list[str]:
    """What the numbers rest on, and what a user has to do by hand."""
    where = "the CPU" if plan.device == "cpu" else f"one {plan.config.gpu}"
    basis = f"counted FLOPs on {where} at the speeds in speeds.yaml"
    measured = {each.backbone for each in corrections(plan)}
    if measured:
        basis = f"as was measured here for {', '.join(sorted(measured))}; else {basis}"
    whole = total(costs.values())
    found = [
        f"scale {plan.scale.name}; numerics: {'fast' if plan.fast else 'published'}; time: {basis}, and "
        f"{JOB_START:.0f} s to start a job. Reading images and drawing tables are not counted.",
        *([_purposes(whole), _jobs(whole)] if whole.lengths else []),
        "Shared: runs that the jobs of an artefact above already make.",
    ]
    found += filter(None, [steps_of_the_user(plan, costs)])
    unknown = [name for cost in costs.values() for name, size in cost.downloads.items() if size is None]
    if unknown:
        found.append(f"No source gives the size of: {', '.join(unknown)}.")
    found += [f"Cannot be planned, and left out: {id}: {error}" for id, error in plan.broken.items()]
    return [*found, *memory_notes(plan, costs), *asking_notes(plan, costs), *overridden(plan, costs)]


def _sets(plan: Plan, costs: dict[str, Cost]) -> list[str]:
    """A line for each data set; nothing where all come with the project."""
    rows = [cells(plan, each) for each in whereabouts(plan, costs)]
    return [*_lines([COLUMNS, (), *rows], left=len(COLUMNS) - 1), ""] if rows else []


def overridden(plan: Plan, artefacts: Iterable[str]) -> list[str]:
    """Settings of single methods, or of the scale, that another layer overrides: a line for each."""
    lost: dict[tuple[str, str, str, str], dict[str, None]] = {}
    for id in artefacts:
        planned = plan.artefacts[id]
        for member in planned.members:
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


def _lines(rows: list[tuple[str, ...]], left: int | None = None) -> list[str]:
    """The cells side by side, numbers to the right, but for the first column and that of ``left``; a rule where there
    are none."""
    widths = [max(len(row[place]) for row in rows if row) for place in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if place in (0, left) else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        if row
        else "-" * (sum(widths) + 2 * (len(widths) - 1))
        for row in rows
    ]
