"""From the runs of all artefacts to training jobs: what one process trains."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import gcd
from pathlib import Path

from papertables.planning.planned import PlannedArtefact
from papertables.specs.config import Selection
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

    @property
    def teachers(self) -> dict[str, RunSpec]:
        """By run id of a student."""
        return {run.id: run.teacher for run in self.runs if run.teacher}


def make_jobs(
    artefacts: Mapping[str, PlannedArtefact], runs_per_job: int, longest: float, lasts: Callable[[RunSpec], float]
) -> Iterator[Job]:
    """A run belongs to the first artefact, in canonical order, that needs it. Runs come seed by seed, so that another
    seed appends and moves nothing; runs without training ride with the first job of their group. Students are in jobs
    of their own, which wait for those of their teachers.

    longest: seconds that several runs of a job take together at most, by what ``lasts`` says of each."""
    owned: set[str] = set()
    for id, planned in artefacts.items():
        groups: dict[tuple[str, str, str, str], list[RunSpec]] = defaultdict(list)
        for run in planned.runs:
            if run.id not in owned:
                groups[run.dataset, run.backbone, run.protocol, "students" if run.teacher else ""].append(run)
                owned.add(run.id)
        for (data, tower, _, students), runs in groups.items():
            trained = sorted((run for run in runs if run.training), key=lambda run: run.seed)
            untrained = [run for run in runs if not run.training]
            chunks = list(_packed(trained, runs_per_job, longest, lasts)) or [[]]
            for number, chunk in enumerate(chunks):
                members = (untrained if number == 0 else []) + chunk
                part = Path(chunk[0].id).name if runs_per_job == 1 and chunk else f"{students}{number}"
                yield Job(f"{id}.{data}.{tower}.{part}", tuple(members))


def _packed(
    runs: Iterable[RunSpec], most: int, longest: float, lasts: Callable[[RunSpec], float]
) -> Iterator[list[RunSpec]]:
    """One after the other, as many together as may be; a longer run is alone."""
    chunk, spent = [], 0.0
    for run in runs:
        own = lasts(run) if most > 1 else 0.0
        if chunk and (len(chunk) == most or spent + own > longest):
            yield chunk
            chunk, spent = [], 0.0
        chunk.append(run)
        spent += own
    if chunk:
        yield chunk


def transfer_targets(artefacts: Iterable[PlannedArtefact]) -> dict[str, tuple[Target, ...]]:
    """By run id, what a run is scored on beside what is tested while it trains."""
    found: dict[str, dict[Target, None]] = defaultdict(dict)
    for member in (member for planned in artefacts for member in planned.members):
        for run in member.runs:
            both = (Target(run.dataset, "new"),) if run.protocol == "base_to_new" else ()
            found[run.id] |= dict.fromkeys(each for each in (*both, *member.scored) if each != run.target)
    return {id: tuple(sorted(targets)) for id, targets in found.items() if targets}


def tests_of(artefacts: Iterable[PlannedArtefact], selection: Selection | None) -> dict[str, int]:
    """By run id, the epochs between the tests that any of these artefacts shows; 0: the last epoch alone. selection: in
    place of the configuration's."""
    found: dict[str, int] = {}
    for planned in artefacts:
        for run in planned.runs:
            if run.training:
                found[run.id] = gcd(found.get(run.id, 0), planned.tests(run, selection))
    return found


def attribute_searches(artefacts: Iterable[PlannedArtefact]) -> dict[str, SearchSpec]:
    """By run id, the search that a run takes its attributes from."""
    members = (member for planned in artefacts for member in planned.members)
    return {run.id: member.search for member in members if member.search for run in member.runs}
