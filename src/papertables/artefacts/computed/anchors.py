"""Attribute bases, what was published as searched, and what is found here (ATPrompt, tables 3 and 12)."""

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from papertables.artefacts import tables
from papertables.artefacts.computed.computed_table import Column, ComputedRow, ComputedTable, Source
from papertables.artefacts.notes import run_notes
from papertables.artefacts.outcomes import failures
from papertables.attributes.anchors import anchor_sets
from papertables.data.catalog import dataset
from papertables.planning.asking import source_said
from papertables.results.searches import SearchResult
from papertables.specs.spec import Combination

COLUMNS = tuple(
    Column(label, "") for label in ("bases", "published choice", "found here", "their weight", "all true", "some true")
)
HOW = ("Bases and published choices are printed words; what is found here comes from searches at this scale.",)


def compute(source: Source) -> ComputedTable:
    planned, printed, found = source.planned, {}, source.searched()
    cells = tables.without_published(planned, source.metrics)
    trained = {row.settings["dataset"]: own for row, own in zip(planned.rows, cells, strict=True)}
    untrained = ("–",) * len(planned.columns)
    for line in source.printed():
        printed.setdefault(line["dataset"], {})[line["metric"]] = line["value"]
    rows = []
    for value in source.rows():
        words = printed.get(value.published, {})
        name = value.settings["dataset"]
        results = found.pop(name, [])
        own = (words.get("attribute bases", "–"), words.get("searched result", "–"), *_found(results))
        own += tuple(trained.get(name, untrained))
        rows.append(ComputedRow(value.label, ("", value.label, ""), own))
    for name, results in found.items():
        label = dataset(name).label
        own = (", ".join(results[0].spec.bases), "–", *_found(results), *trained.get(name, untrained))
        rows.append(ComputedRow(label, ("", label, ""), own))
    known = [result for result in source.searches if _actual(result)]
    lines = {line["source"]: None for line in source.printed()}
    runs, columns = planned.runs, (*COLUMNS, *(Column(value.label, "") for value in planned.columns))
    unit = "Words, and the weight of what is found" + ("; accuracy in percent" if runs else "")
    notes = (*_named(source), *_notes(known), *(run_notes(planned, runs, False, {}) if runs else ()))
    shown = {"sources": tuple(lines), "failures": tuple(failures(runs, source.metrics, planned.shown_epoch))}
    return ComputedTable("Data set", unit, columns, tuple(rows), notes, HOW, **shown)


def _named(source: Source) -> tuple[str, ...]:
    """The bases that were searched, where a language model named them."""
    named = {dataset(each.spec.dataset).label: each.spec.bases for each in source.searches if each.spec.source}
    config = source.planned.scope.config
    words = "; ".join(f"{label}: {', '.join(bases)}" for label, bases in named.items())
    return (f"Searched here: the bases of {source_said(config, config.bases)}: {words}.",) if named else ()


def _actual(result: SearchResult) -> set[str]:
    """The attributes that tell the classes apart, where they are known and among the bases that were searched."""
    known = anchor_sets().get(result.spec.dataset)
    return set(known.actual) & set(result.spec.bases) if known else set()


def _found(results: Sequence[SearchResult]) -> tuple[str, str, str, str]:
    """Winners over seeds, their weights, and in how many seeds all or some of their attributes are true."""
    if not results:
        return ("–",) * 4
    counted = Counter(result.winner for result in results)
    winners = "; ".join(_words(each) + (f" × {n}" if n > 1 else "") for each, n in counted.most_common())
    weight = f"{fmean(max(result.last) for result in results):.2f}"
    actual = _actual(results[0])
    if not actual:
        return winners, weight, "–", "–"
    everything = sum(set(result.winner) <= actual for result in results)
    something = sum(bool(set(result.winner) & actual) for result in results)
    return winners, weight, f"{everything} of {len(results)}", f"{something} of {len(results)}"


def _words(combination: Combination) -> str:
    return f"({', '.join(combination)})"


def _notes(results: Sequence[SearchResult]) -> tuple[str, ...]:
    """How often searches whose answer is known found it."""
    if not results:
        return ()
    actual = [_actual(result) for result in results]
    something = sum(bool(set(result.winner) & own) for result, own in zip(results, actual, strict=True))
    everything = sum(set(result.winner) <= own for result, own in zip(results, actual, strict=True))
    chance = fmean(_share(result, own) for result, own in zip(results, actual, strict=True))
    return (
        f"Of {len(results)} searches whose true attributes are known, {something} found a true one and {everything} "
        f"true ones alone; a winner drawn by lot would hold a true one in {100 * chance:.0f} of 100 searches.",
    )


def _share(result: SearchResult, actual: set[str]) -> float:
    """The combinations that hold a true attribute."""
    return fmean(bool(set(each) & actual) for each in result.combinations)
