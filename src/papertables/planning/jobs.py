"""From the runs of all artefacts to training jobs: what one process trains."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from papertables.planning.cells import PlannedArtefact
from papertables.specs.spec import CacheKey, RunSpec, SearchSpec, Target


@dataclass(frozen=True)
class Job:
    """Runs that share backbone, data set and protocol."""

    id: str
    runs: tuple[RunSpec, ...]

    @property
    def artefact(self) -> str:
        """The artefact that owns its runs."""
        return self.id.partition(".")[0]

    @property
    def dataset(self) -> str:
        return self.runs[0].dataset

    @property
    def backbone(self) -> str:
        return self.runs[0].backbone

    @property
    def trained(self) -> tuple[RunSpec, ...]:
        return tuple(run for run in self.runs if run.training)

    @property
    def caches(self) -> tuple[CacheKey, ...]:
        """The images that it trains on or evaluates."""
        return tuple(sorted({key for run in self.trained for key in (run.train_cache, run.test_cache)}))

    @property
    def attributes(self) -> tuple[str, ...]:
        """The sources of sentences that its runs read."""
        return tuple(sorted({run.attributes for run in self.runs if run.attributes}))


def make_jobs(artefacts: Mapping[str, PlannedArtefact], runs_per_job: int) -> Iterator[Job]:
    """A run belongs to the first artefact, in canonical order, that needs it. Runs come seed by seed, so that another
    seed appends and moves nothing; runs without training ride with the first job of their group."""
    owned: set[str] = set()
    for id, planned in artefacts.items():
        groups: dict[tuple[str, str, str], list[RunSpec]] = defaultdict(list)
        for run in planned.runs:
            if run.id not in owned:
                groups[run.dataset, run.backbone, run.protocol].append(run)
                owned.add(run.id)
        for (data, tower, _), runs in groups.items():
            trained = sorted((run for run in runs if run.training), key=lambda run: run.seed)
            untrained = [run for run in runs if not run.training]
            chunks = [trained[i : i + runs_per_job] for i in range(0, len(trained), runs_per_job)] or [[]]
            for number, chunk in enumerate(chunks):
                members = (untrained if number == 0 else []) + chunk
                part = Path(chunk[0].id).name if runs_per_job == 1 and chunk else str(number)
                yield Job(f"{id}.{data}.{tower}.{part}", tuple(members))


def transfer_targets(artefacts: Iterable[PlannedArtefact]) -> dict[str, tuple[Target, ...]]:
    """By run id, what a run is scored on beside what is tested while it trains."""
    found: dict[str, dict[Target, None]] = defaultdict(dict)
    for member in (member for planned in artefacts for cell in planned.cells for member in cell.members):
        for run in member.runs:
            both = (Target(run.dataset, "new"),) if run.protocol == "base_to_new" else ()
            found[run.id] |= dict.fromkeys(each for each in (*both, *member.scored) if each != run.target)
    return {id: tuple(sorted(targets)) for id, targets in found.items() if targets}


def attribute_searches(artefacts: Iterable[PlannedArtefact]) -> dict[str, SearchSpec]:
    """By run id, the search that a run takes its attributes from."""
    members = (member for planned in artefacts for cell in planned.cells for member in cell.members)
    return {run.id: member.search for member in members if member.search for run in member.runs}
