"""What `plan` prints: what the artefacts that are asked for cost before anything runs."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import groupby, pairwise

from pydantic import JsonValue

from papertables.planning.asking import asking_notes, sentence_notes
from papertables.planning.cost import JOB_START, Cost, Lever, duration, estimate, spent, total
from papertables.planning.measured import corrections
from papertables.planning.memory import Memory
from papertables.planning.plan import Plan
from papertables.planning.whereabouts import COLUMNS, cells, steps_of_the_user, whereabouts

LENGTHS = (0, 900, 3600, 4 * 3600, 12 * 3600, float("inf"))  # seconds, by which jobs are counted
LEVERS = {"numerics: fast": Lever(fast=True), "selection: last": Lever(selection="last"), "both": Lever(True, "last")}
HEADER = ("artefact", "jobs", "runs", "shared", "images", "time", "download", "cache", "memory")


class Report:
    """Of some artefacts: what each costs, and together. measured: read once, for there may be thousands of jobs."""

    def __init__(self, plan: Plan, artefacts: Iterable[str]):
        self.plan, self.memory, self.measured = plan, Memory(plan), corrections(plan)
        self.costs = estimate(plan, artefacts, measured=self.measured)

    @cached_property
    def sums(self) -> dict[str, dict[str, Cost]]:
        """The headlines by themselves, where there is more than these, and everything."""
        headlines = [id for id in self.costs if self.plan.artefacts[id].artefact.headline]
        if not 0 < len(headlines) < len(self.costs):
            return {"total": self.costs}
        return {"headlines": estimate(self.plan, headlines, measured=self.measured), "total": self.costs}

    @cached_property
    def papers(self) -> dict[str, dict[str, Cost]]:
        return {
            paper: {id: self.costs[id] for id in ids}
            for paper, ids in groupby(self.costs, lambda id: self.plan.artefacts[id].paper.id)
        }

    @cached_property
    def levers(self) -> dict[str, dict[str, float]]:
        """By lever that is not set yet, the seconds of each of the sums with it."""
        chosen = LEVERS.items() if self.plan.device != "cpu" else ()
        return {
            name: {key: spent(self.plan, some, lever, self.measured) for key, some in self.sums.items()}
            for name, lever in chosen
        }

    @cached_property
    def notes(self) -> list[str]:
        """What the numbers rest on, and what a user has to do by hand."""
        plan, costs = self.plan, self.costs
        where = "the CPU" if plan.device == "cpu" else f"one {plan.config.gpu}"
        basis = f"counted FLOPs on {where} at the speeds in speeds.yaml"
        measured = {each.backbone for each in self.measured}
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
        asking = [*asking_notes(plan, costs), *(f"{line}." for line in sentence_notes(plan, costs))]
        return [*found, *self.memory.notes(costs), *asking, *overridden(plan, costs)]

    @cached_property
    def data(self) -> list[dict[str, JsonValue]]:
        return whereabouts(self.plan, self.costs)


def text(plan: Plan, artefacts: Iterable[str]) -> str:
    """A line per artefact, a subtotal per paper, the headlines, a total, and what the numbers rest on."""
    report = Report(plan, artefacts)
    rows: list[tuple[str, ...]] = [HEADER]
    for paper, own in report.papers.items():
        rows += [(), *((id, *_cells(report, {id: cost})) for id, cost in own.items())]
        rows += [(f"{paper}, in all", *_cells(report, own))] if len(own) > 1 else []
    rows += [(), *((name, *_cells(report, some)) for name, some in report.sums.items())]
    return "\n".join([*_lines(rows), "", *_sets(report), *_levers(report), *report.notes])


def record(plan: Plan, artefacts: Iterable[str]) -> dict[str, JsonValue]:
    """The same as keys and values; sizes in bytes, times in seconds."""
    report = Report(plan, artefacts)
    rows = [
        {"artefact": id, "paper": paper, **_numbers(report, {id: cost})}
        for paper, own in report.papers.items()
        for id, cost in own.items()
    ]
    papers = {paper: _numbers(report, own) for paper, own in report.papers.items()}
    sums = {name: _numbers(report, some) for name, some in report.sums.items()}
    told = {"artefacts": rows, "papers": papers, **sums, "data": report.data, "notes": report.notes}
    return {"scale": plan.scale.name, **told, "levers": report.levers}


def _levers(report: Report) -> list[str]:
    """What would make it cheaper, a line each, with what it saves; nothing where all runs on a CPU."""
    asked = {name: total(some.values()).seconds for name, some in report.sums.items()}
    rows = [(name, *_with(asked, found)) for name, found in report.levers.items()]
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


def _sets(report: Report) -> list[str]:
    """A line for each data set; nothing where all come with the project."""
    rows = [cells(report.plan, each) for each in report.data]
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


def _cells(report: Report, costs: dict[str, Cost]) -> tuple[str, ...]:
    """Of artefacts together."""
    cost, memory = total(costs.values()), report.memory.most(costs)
    sizes = (f"{cost.download / 1e9:.1f} GB", f"{cost.disk / 1e9:.2f} GB", f"{memory:.1f} GB" if memory else "–")
    return (str(cost.jobs), str(cost.runs), str(cost.shared), f"{cost.images:,}", duration(cost.seconds), *sizes)


def _numbers(report: Report, costs: dict[str, Cost]) -> dict[str, JsonValue]:
    """The same."""
    cost, memory = total(costs.values()), report.memory.most(costs)
    names = ("jobs", "runs", "shared", "images", "seconds", "disk", "download")
    return {name: getattr(cost, name) for name in names} | {"memory": memory and round(1e9 * memory)}


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
