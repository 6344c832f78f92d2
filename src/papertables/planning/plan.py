"""Artefacts to cells to runs to jobs: a pure function of what is declared, which never looks at results."""

import gc
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

from pydantic import JsonValue

from papertables.attributes.catalog import language_models
from papertables.backbones.catalog import backbone_with, backbones
from papertables.base.errors import UserError, unknown
from papertables.planning.asking import language_model
from papertables.planning.cells import needed, plan_artefact
from papertables.planning.claims import check_claims
from papertables.planning.declarations import check_artefact
from papertables.planning.inputs import Inputs
from papertables.planning.jobs import Job, attribute_searches, make_jobs, tests_of, transfer_targets
from papertables.planning.lacking import check_there
from papertables.planning.paths import Paths
from papertables.planning.planned import PlannedArtefact
from papertables.planning.project import CLAIMS, Project, load_project
from papertables.planning.published import check_published
from papertables.planning.scope import NotAtScale
from papertables.planning.signatures import Signatures
from papertables.planning.speeds import Cores, Machine, cards, seconds
from papertables.planning.work import run_work
from papertables.specs.artefact import Artefact
from papertables.specs.config import Selection
from papertables.specs.spec import RunSpec

UNCUT = "paper"  # the scale that leaves nothing out
VERDICTS = ("json", "md", "csv")
FORMATS = {"table": ("md", "csv", "tex", "html"), "figure": ("pdf", "svg", "png", "csv")}


class Plan:
    """All artefacts, whatever is selected: so a run's job does not depend on what else is asked for.

    artefacts: by id, those that the scale can make; left_out: why it cannot make others; broken: what is wrong in the
    declaration of those that cannot be planned at any. selected: the ids that are
    asked for. jobs: by id. tests: by run id, the epochs between those that artefacts show (see ``tested``). targets: by
    run id, what it is scored on beside its own test. search_of: by run id, the
    search it takes its attributes from; searches: all of them by data set, backbone and id. language_models: by source,
    as they are asked.
    """

    def __init__(self, project: Project):
        self.project = project
        self.config, self.scale = project.config, project.scale
        self.paths = Paths(project.root, project.scale.name, project.config.data_root, project.config.weights)
        for name, own in self.config.weights.items():
            if name not in backbones():
                raise UserError(f"config: weights: {unknown('backbone', name, backbones())}")
            backbone_with(name, own)
        self.language_models = {id: language_model(id, self.config) for id in language_models()}
        self.artefacts: dict[str, PlannedArtefact] = {}
        self.left_out: dict[str, NotAtScale] = {}
        self.broken: dict[str, UserError] = dict(project.broken)
        for id, artefact in project.artefacts.items():
            try:
                check_artefact(project.papers[artefact.paper], artefact)
                check_published(Path(self.paths.published(artefact.paper)), artefact)
                scope = project.scope(artefact)
                check_there(self.paths, self.language_models, needed(scope, artefact))
                self.artefacts[id] = plan_artefact(scope, artefact, self.artefacts)
            except NotAtScale as error:
                self.left_out[id] = error
            except UserError as error:
                self.broken[id] = _in_file(project, artefact, error)
        for paper, claims in project.claims.items():
            check_claims(CLAIMS.format(paper=paper), claims, project, [*self.left_out, *self.broken])
        self.selected = self._selected()
        self.tests = self.tests_with(self.config.selection, self.selected)
        self.targets = transfer_targets(self.artefacts.values())
        most = self.config.runs_per_job or self.scale.runs_per_job, 3600 * self.config.max_job_hours
        self.jobs: dict[str, Job] = {job.id: job for job in make_jobs(self.artefacts, *most, self.run_seconds)}
        self.search_of = attribute_searches(self.artefacts.values())
        shown = [search for planned in self.artefacts.values() for search in planned.searches]
        self.searches = {(each.dataset, each.backbone, each.id): each for each in (*shown, *self.search_of.values())}
        self.inputs, self.signatures = Inputs(self), Signatures(self)
        glob = self.config.retrain
        if glob and not any(fnmatchcase(run, glob) for run in self.job_of):
            example = next(iter(self.job_of), "")
            raise UserError(f"config: retrain: '{glob}' matches no run; run ids look like '{example}'")

    @property
    def device(self) -> str:
        return self.config.device or self.scale.device

    @cached_property
    def machine(self) -> Machine:
        """Whose time is estimated."""
        return Cores(count=self.scale.threads) if self.device == "cpu" else cards()[self.config.gpu]

    @cached_property
    def first_seed(self) -> dict[str, str]:
        """By run id, the run of the first seed that is the same but for that."""
        found: dict[str, str] = {}
        for runs in (member.runs for planned in self.artefacts.values() for member in planned.members):
            for run in runs:
                found.setdefault(run.id, runs[0].id)
        return found

    @property
    def fast(self) -> bool:
        """Whether tests and mapping passes run in half precision, which a CPU does not know."""
        return self.config.numerics == "fast" and self.device != "cpu"

    def tests_with(self, selection: Selection | None, asked: Iterable[str]) -> dict[str, int]:
        """By run id, the epochs between its tests, 0 for the last alone. All artefacts decide, so that no run is made
        anew when another is asked for; where the last epoch is selected, only those that are asked for, since figures
        of tests on the way would have nearly all runs tested."""
        deciding = asked if selection == "last" else self.artefacts
        shown = tests_of((self.artefacts[id] for id in deciding), selection)
        return dict.fromkeys((run.id for planned in self.artefacts.values() for run in planned.runs), 0) | shown

    def run_seconds(self, run: RunSpec) -> float:
        """Counted, never measured: what is made of it must not change with what was made."""
        works = run_work(run, self.targets.get(run.id, ()), self.tests[run.id], self.fast)
        return sum(seconds(self.machine, work) for work in works)

    def priority(self, job: str) -> float:
        """Below 1, and higher for longer jobs, so that none of these is left to the end."""
        counted = sum(map(self.run_seconds, self.jobs[job].runs))
        return counted / (counted + 3600)

    @cached_property
    def job_of(self) -> dict[str, str]:
        """Run id to job id."""
        return {run.id: job.id for job in self.jobs.values() for run in job.runs}

    def run(self, id: str) -> RunSpec:
        """The spec of a run of some artefact."""
        return next(run for run in self.jobs[self.job_of[id]].runs if run.id == id)

    def jobs_for(self, *artefacts: str) -> list[Job]:
        """The jobs that own the runs of artefacts, each once, in canonical order."""
        owners = {job for id in artefacts for job in self._owners[id]}
        return [self.jobs[id] for id in sorted(owners, key=self._places.__getitem__)]

    @cached_property
    def _owners(self) -> dict[str, set[str]]:
        """By artefact the jobs that own its runs."""
        return {id: {self.job_of[run.id] for run in planned.runs} for id, planned in self.artefacts.items()}

    @cached_property
    def _places(self) -> dict[str, int]:
        """By job its place in canonical order."""
        return {id: place for place, id in enumerate(self.jobs)}

    def transfer_datasets(self, job: Job) -> list[str]:
        """The data sets other than its own that a job's runs are scored on."""
        found = {target.dataset for run in job.trained for target in self.targets.get(run.id, ())}
        return sorted(found - {job.dataset})

    def artefact_at(self, paper: str, name: str) -> PlannedArtefact:
        return self.artefacts[f"{paper}_{name}"]

    def files(self, artefacts: Iterable[str], formats: Iterable[str] | None = None) -> list[str]:
        """What is made of the artefacts, in all formats of their kind unless some are named."""
        chosen = [self.artefacts[id].artefact for id in artefacts]
        return [
            f"{self.paths.artefact(artefact)}.{suffix}"
            for artefact in chosen
            for suffix in formats or FORMATS[artefact.kind]
        ]

    def inspected(self, planned: PlannedArtefact) -> list[RunSpec]:
        """The runs, of the first seed, that a figure looks into."""
        if not planned.artefact.needs.inspects:
            return []
        return [member.runs[0] for cell in planned.cells for member in cell.members]

    def require(self, id: str) -> None:
        """Raises UserError with why an artefact cannot be made, if it cannot."""
        if id in self.left_out:
            mend = f": add --config scale={UNCUT}" if self.scale.name != UNCUT else ""
            raise NotAtScale(f"{self.left_out[id]}{mend}")
        if id in self.broken:
            raise self.broken[id]

    def why_not(self, id: str) -> str:
        """Why an artefact is not among those that are asked for."""
        if id in self.left_out:
            return f"scale {self.scale.name} has nothing for it"
        return "it cannot be planned" if id in self.broken else "it is not among the artefacts that config.yaml names"

    @property
    def judged(self) -> list[str]:
        """The papers whose claims and numbers get verdicts: those of which any artefact is asked for."""
        asked = {self.artefacts[id].paper.id for id in self.selected}
        return [id for id in self.project.papers if id in asked]

    @property
    def verdicts(self) -> list[str]:
        """The files of their verdicts."""
        return [f"{self.paths.verdicts(paper)}.{suffix}" for paper in self.judged for suffix in VERDICTS]

    def _selected(self) -> list[str]:
        """What config.yaml asks for, without what cannot be made; asking for that by its id, or for nothing else, is a
        UserError."""
        wanted = self.project.selected()
        found = [id for id in wanted if id in self.artefacts]
        for id in wanted:
            if id in self.config.artefacts or (id in self.broken and not found):
                self.require(id)
        return found


def _in_file(project: Project, artefact: Artefact, error: UserError) -> UserError:
    """The error with the file of the artefact, unless it names one."""
    text, name = str(error), artefact.id.removeprefix(f"{artefact.paper}_")
    named = text.startswith(("workflow/", str(project.root)))
    trial = artefact.id == project.config.trial.get("id")
    place = "config: trial" if trial else f"workflow/papers/{artefact.paper}/{name}.yaml"
    return error if named else UserError(f"{place}: {text}")


def make_plan(root: Path, config: dict[str, JsonValue]) -> Plan:
    """The plan of the project at ``root`` under a configuration; raises UserError."""
    collects = gc.isenabled()
    gc.disable()  # next to nothing of what is made here can go, and looking for it takes a third of the time
    try:
        return Plan(load_project(root, config))
    finally:
        if collects:
            gc.enable()
