"""The verdicts on a paper's claims and on its printed numbers: as JSON, Markdown and CSV."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import get_args

import pandas as pd

from papertables.artefacts import collect, samples
from papertables.artefacts.claims import Known, findings, not_tested
from papertables.artefacts.outcomes import SCORES
from papertables.artefacts.render import in_markdown, read
from papertables.artefacts.subsets import read_subsets
from papertables.artefacts.table import Table, TableCell
from papertables.base.files import write_atomic
from papertables.base.seals import sealed_json
from papertables.planning.inputs import Claimed
from papertables.planning.planned import PlannedArtefact
from papertables.planning.scope import Scope
from papertables.results.inspections import STATES, read_inspection
from papertables.results.metrics import Metrics
from papertables.results.searches import read_search
from papertables.results.verdicts import Finding, Outcome, PaperVerdicts, Tally, Verdict
from papertables.specs.claims import Comparison
from papertables.specs.rules import ArtefactFiles

METHOD = (
    "A comparison is paired by data set and seed: runs of one seed see the same few-shot images where any are drawn.",
    "Intervals: 95 %, percentiles of a bootstrap that draws seeds within each data set anew (Agarwal et al. 2021). "
    "They say how far other seeds would move a number on these data sets, not on others; from three seeds they are "
    "narrower than they should be, by about a fifth.",
    "A claim holds where the interval lies within what it says, fails where it lies outside, else it cannot be told; "
    "the seeds that would tell are counted as if the effect stayed and its error fell with their root.",
    "Probability of improvement: that a run of the one is above a run of the other on a data set, averaged over these. "
    "Mean ranks are over data sets; two methods differ where theirs are further apart than the critical difference of "
    "the Nemenyi test at 5 % (Demšar 2006).",
    "A number agrees within one standard deviation, ours over seeds joined with a printed one as the root of the sum "
    "of squares, or within the rounding of the printed one; averages are not counted beside what they are of.",
)
WORST: tuple[Outcome, ...] = ("fails", "cannot be told", "not tested here", "holds")
AVERAGE = "Average"
COUNTED: dict[Outcome, tuple[str, str]] = {
    "holds": ("holds", "hold"),
    "fails": ("fails", "fail"),
    "cannot be told": ("cannot be told", "cannot be told"),
    "not tested here": ("is not tested here", "are not tested here"),
}


def build(claimed: Claimed) -> PaperVerdicts:
    """Of a paper, from the artefacts that are asked for."""
    paper, scale = claimed.scope.paper, claimed.scope.scale
    tables = {id: read(Path(path)) for id, path in claimed.tables.items()}
    known: dict[str, Known] = {}
    runs: dict[str, Metrics] = {}
    for planned, files in claimed.artefacts:
        own = collect.gather(planned, files)
        known[planned.artefact.id] = _tested(planned, files, own, tables)
        runs |= own
    claims = tuple(_verdict(claimed, id, known) for id in claimed.claims)
    total = _total(tables.values())
    return PaperVerdicts(
        paper=paper.id,
        title=paper.title,
        venue=paper.venue,
        scale=scale.name,
        compares=claimed.scope.substitutes is None,
        summary=_summary(_world(claimed.scope), claims, total),
        claims=claims,
        total=total,
        artefacts={id: tally(agreements(table).values()) for id, table in tables.items() if agreements(table)},
        method=METHOD,
        made=_made(claimed, runs),
    )


def _tested(
    planned: PlannedArtefact, files: ArtefactFiles, metrics: Mapping[str, Metrics], tables: Mapping[str, Table]
) -> Known:
    artefact = planned.artefact
    if artefact.computed:  # of the paper's own data sets and backbones at every scale
        return Known(artefact.id, {planned.selection: samples.of_table(tables[artefact.id])}, unit="")
    parts = "On parts of data sets: " if read_subsets(files.manifests) else ""
    where = {"world": _world(planned.scope) + parts, "sizes": planned.comparable}
    if artefact.needs.searches:
        results = [read_search(path) for path in map(Path, files.searches) if path.exists()]
        return Known(artefact.id, {planned.selection: samples.of_searches(results)}, unit="", **where)
    if files.inspections:
        ratios = {run: _ratios(Path(path)) for run, path in files.inspections.items()}
        return Known(
            artefact.id,
            {planned.selection: samples.of_scatter(planned, ratios)},
            unit="",
            numbers="ratio of scatters",
            **where,
        )
    shown = dict.fromkeys([planned.selection, "best", "last"])  # that of the artefact first
    grids = {selection: samples.of_runs(planned, metrics, selection) for selection in shown}
    accuracies = {cell.measure for cell in planned.cells} <= set(SCORES)
    return Known(artefact.id, grids, unit=" points" if accuracies else "", **where)


def _ratios(path: Path) -> dict[str, float]:
    """The scatter of image features before and after; nothing of a run that diverged."""
    found = read_inspection(path)
    return {state: samples.scatter(found.images(state), found.labels) for state in STATES} if found.tensors else {}


def _world(scope: Scope) -> str:
    """What a sentence begins with that is no statement about the paper."""
    if scope.substitutes is None:
        return ""
    if scope.scale.compares:
        return f"At scale {scope.scale.name}, which is not the whole protocol: "
    return f"In the {scope.scale.name} world, not of the paper: "


def _verdict(claimed: Claimed, id: str, known: Mapping[str, Known]) -> Verdict:
    """Of a claim: that of the comparison which is least in its favour. Where the scale is not the paper's, what it
    leaves out of artefacts that are there counts for nothing, as long as anything is left."""
    claim = claimed.claims[id]
    parts = [found for each in claim.holds_if for found in _parts(claimed, each, known)]
    tested = [part for part in parts if part.verdict != "not tested here"]
    all_there = all(each.artefact in known for each in claim.holds_if)
    counted = tested if tested and all_there and claimed.scope.substitutes else parts
    deciding = min(counted, key=lambda part: WORST.index(part.verdict))
    agreeing = sum(part.verdict == "holds" for part in parts)
    untested = f", {len(parts) - len(tested)} not tested here" if len(tested) < len(parts) else ""
    beside = f" {agreeing} of {len(tested)} comparisons hold{untested}." if tested and len(parts) > 1 else ""
    return Verdict(
        **deciding.model_dump(exclude={"sentence", "runs"}),
        sentence=deciding.sentence + beside,
        runs=tuple(dict.fromkeys(run for part in parts for run in part.runs)),
        id=f"{claimed.scope.paper.id}_{id}",
        paper=claimed.scope.paper.id,
        words=claim.words,
        place=claim.place,
        reading=claim.is_read,
        note=claim.note,
        parts=tuple(parts),
    )


def _parts(claimed: Claimed, comparison: Comparison, known: Mapping[str, Known]) -> list[Finding]:
    if comparison.artefact in known:
        return findings(comparison, known[comparison.artefact])
    return [not_tested(comparison.artefact, claimed.elsewhere[comparison.artefact])]


def agreement(cell: TableCell) -> str | None:
    """How far a number is from the printed one, as ``Tally`` counts it; None of a cell without a number to print."""
    if cell.text is not None or (cell.mean is None and cell.quote is None):
        return None
    if cell.quote is None or cell.difference is None:
        return "unpublished" if cell.quote is None else "unknown"
    if abs(cell.difference) <= 0.5 * 10**-cell.quote.digits:  # what rounding hides is no difference
        return "within"
    return cell.nearness or "unknown"


def agreements(table: Table) -> dict[tuple[int, int], str]:
    """Of every cell that is no average over others."""
    kept = [[(i, j) for j, name in enumerate(table.columns) if name != AVERAGE] for i, row in enumerate(table.rows)]
    places = [place for i, row in enumerate(table.rows) if row != AVERAGE for place in kept[i]]
    found = {(i, j): agreement(table.cells[i][j]) for i, j in places if i < len(table.cells)}
    return {place: each for place, each in found.items() if each}


def tally(found: Iterable[str]) -> Tally:
    return Tally(**Counter(found))


def _total(tables: Iterable[Table]) -> Tally:
    """Each printed number once, where it stands first."""
    seen: dict[object, str] = {}
    for table in tables:
        for (i, j), each in agreements(table).items():
            quote = table.cells[i][j].quote
            seen.setdefault(quote or (table.id, i, j), each)
    return tally(seen.values())


def _summary(world: str, claims: Sequence[Verdict], total: Tally) -> str:
    counts = Counter(each.verdict for each in claims)
    told = [f"{counts[verdict]} {COUNTED[verdict][counts[verdict] != 1]}" for verdict in get_args(Outcome)]
    parts = [f"of {len(claims)} claims {', '.join(told)}"] if claims else []
    parts += [str(total)] if total.published else []
    text = "; ".join(parts) or "nothing is claimed and nothing compared"
    return f"{world}{text}." if world else f"{text[0].upper()}{text[1:]}."


def _made(claimed: Claimed, runs: Mapping[str, Metrics]) -> dict[str, str]:
    """What verdicts were made from."""
    seeds = sorted({each.spec.seed for each in runs.values() if each.spec.seed is not None})
    facts = {
        "artefacts": ", ".join(planned.artefact.id for planned, _ in claimed.artefacts),
        "runs": f"{len(runs):,}",
        "seeds": ", ".join(map(str, seeds)),
        "selection": claimed.scope.config.selection or claimed.scope.paper.selection,
        **_other_epochs(planned for planned, _ in claimed.artefacts),
        "fidelity": claimed.scope.config.fidelity,
        "numerics": ", ".join(sorted({str(each.fingerprint.numerics) for each in runs.values()})),
        "commit": ", ".join(sorted({each.git_commit for each in runs.values() if each.git_commit})),
    }
    return {name: value for name, value in facts.items() if value}


def _other_epochs(artefacts: Iterable[PlannedArtefact]) -> dict[str, str]:
    """By methods, which epoch of theirs is shown where it is not the artefact's selection."""
    found = [pair for planned in artefacts for pair in planned.other_epochs.items()]
    return {f"selection of {', '.join(methods)}": epoch for epoch, methods in found}


def write(found: PaperVerdicts, stem: Path) -> None:
    """``stem`` + .json, .md and .csv. The same verdicts give the same bytes."""
    made = {
        ".json": sealed_json(found.model_dump_json(indent=1)),
        ".md": markdown(found).encode(),
        ".csv": tidy(found).to_csv(index=False).encode(),
    }
    for suffix, content in made.items():
        write_atomic(stem.with_name(stem.name + suffix), content)


def markdown(found: PaperVerdicts) -> str:
    """The claims as one table, then how many numbers agree."""
    said = [(each.verdict, f"{each.words} ({told_where(each)})", each.sentence) for each in found.claims]
    lines = [f"| {' | '.join(map(in_markdown, each))} |" for each in said]
    parts = [f"## {in_markdown(found.title)} ({in_markdown(found.venue)})", in_markdown(found.summary)]
    parts += ["\n".join(["| verdict | claim | evidence |", "| :-- | :-- | :-- |", *lines])] if lines else []
    counted = [f"- {id}: {each}" for id, each in found.artefacts.items() if each.published]
    parts += ["\n".join(counted)] if counted else []
    parts += ["\n".join(f"- {in_markdown(line)}" for line in found.method)]
    parts += ["\n".join(f"- {name}: {in_markdown(value)}" for name, value in found.made.items())]
    return "\n\n".join(parts) + "\n"


def told_where(verdict: Verdict) -> str:
    """The place, and whether it is our reading."""
    reading = ["our reading", *filter(None, [verdict.note])] if verdict.reading else []
    return "; ".join(filter(None, [verdict.place, ": ".join(reading)]))


def tidy(found: PaperVerdicts) -> pd.DataFrame:
    """A row for each comparison, under the claim that it is of."""
    rows = [
        {
            "claim": claim.id,
            "words": claim.words,
            "place": claim.place,
            "our_reading": claim.reading,
            "claim_verdict": claim.verdict,
            "artefact": part.artefact,
            "verdict": part.verdict,
            "effect": part.effect,
            "unit": part.unit,
            "low": part.interval and part.interval[0],
            "high": part.interval and part.interval[1],
            "probability_of_improvement": part.probability,
            "critical_difference": part.critical_difference,
            "seeds": part.seeds,
            "seeds_needed": part.needed,
            "sentence": part.sentence,
            "scale": found.scale,
        }
        for claim in found.claims
        for part in claim.parts
    ]
    return pd.DataFrame(rows)
