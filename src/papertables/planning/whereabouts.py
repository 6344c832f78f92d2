"""Where the data sets of a plan are on this machine, and what has yet to be done for each."""

from collections.abc import Iterable

from pydantic import JsonValue

from papertables.data.catalog import dataset
from papertables.planning.cost import cached_bytes
from papertables.planning.downloads import found, needs
from papertables.planning.plan import Plan

COLUMNS = ("data set", "download", "unpacked", "cache", "where it is")
TOLD = {
    "there": "here, in {where}",
    "in place": "found and used in {where}",
    "archive": "found as {where}, unpacked into {raw}",
    "fetch": "fetched into {raw}",
    "step": "needs a step of yours",
}


def whereabouts(plan: Plan, artefacts: Iterable[str]) -> list[dict[str, JsonValue]]:
    """A record for every data set that comes from outside the project; what is made for it in bytes, None where no
    source says."""
    artefacts = tuple(artefacts)
    caches, records = cached_bytes(plan, artefacts), []
    for entry in map(dataset, needs(plan, artefacts).sets):
        images = found(plan, entry.id)
        records.append(
            {
                "dataset": entry.id,
                "state": images.state,
                "where": [str(path) for path in images.where],
                "lists": [*images.lists],
                "download": entry.bytes if images.state in ("fetch", "step") else 0,
                "unpacked": entry.bytes if images.state not in ("there", "in place") else 0,  # images hardly shrink
                "cache": caches[entry.id],
            }
        )
    return records


def cells(plan: Plan, record: dict[str, JsonValue]) -> tuple[str, ...]:
    """The same in words, as ``COLUMNS`` says."""
    sizes = (record[key] for key in ("download", "unpacked", "cache"))
    told = ("?" if size is None else f"{size / 1e9:.2f} GB" if size else "-" for size in sizes)
    where = TOLD[record["state"]].format(where=", ".join(record["where"]), raw=plan.paths.raw(record["dataset"]))
    beside = record["lists"] if record["state"] != "fetch" else []
    return record["dataset"], *told, "; ".join([where, *(f"{name} fetched" for name in beside)])


def steps_of_the_user(plan: Plan, artefacts: Iterable[str]) -> str | None:
    """What a user has to do by hand before some data sets can be prepared; None where there is none such."""
    entries = [entry for entry in map(dataset, needs(plan, artefacts).sets) if found(plan, entry.id).state == "step"]
    told = "; ".join(
        f"{each.id}: {each.source.step.rstrip('.')} ({plan.paths.raw(each.id)}, or shared_data: docs/data.md)"
        for each in entries
    )
    return f"Steps of yours before these can be prepared: {told}." if told else None
