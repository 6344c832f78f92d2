"""What sets a job off beside its files: digests of declarations, of code and of settings, as its rule's parameters."""

from fnmatch import fnmatchcase
from functools import cache, cached_property
from itertools import chain
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

from pydantic import JsonValue

from papertables import NUMERICS
from papertables.backbones.catalog import backbone_with, backbones
from papertables.base.code import FOLDER, ROOMS, code_digest, source_files
from papertables.base.files import file_digest
from papertables.data import raw
from papertables.data.catalog import dataset
from papertables.methods.table import method_code
from papertables.planning import lost
from papertables.planning.jobs import Job
from papertables.planning.planned import PlannedArtefact
from papertables.specs.rules import Files
from papertables.specs.spec import ShownPart, digest

if TYPE_CHECKING:
    from papertables.planning.plan import Plan

ARTEFACTS = FOLDER / "artefacts"
MINI_WORLD = FOLDER / "data" / "miniworld"
ASKING = "papertables.attributes.asking"


class Signatures:
    """The signatures of one plan's jobs."""

    def __init__(self, plan: "Plan"):
        self.plan = plan

    def train(self, job: Job) -> str:
        """Changes with a spec, the code of a method, the shared numerics, what a backbone's weights are and are read
        as, the template, when the runs are tested, on what they are scored and how exactly, and which go on after a
        loss that is not finite."""
        skipping = [run.id for run in job.trained if run.skips]
        code = {run.method: method_code(run.method) for run in job.runs}
        targets = {run.id: self.plan.targets.get(run.id, ()) for run in job.trained}
        told = {"runs": [run.digest for run in job.runs], "code": code, "numerics": NUMERICS, "on": targets}
        told |= {"tests": [self.plan.tests[run.id] for run in job.trained]}
        told |= {"weights": self._weights(job.backbone), "template": dataset(job.dataset).template}
        teachers = {run.backbone: self._weights(run.backbone) for run in job.teachers.values()}
        told |= {"teachers": teachers} if teachers else {}
        told |= {"given": self._given("train", self.plan.inputs.train(job.id).files)}
        told |= {"tests": self.plan.config.numerics} if self.plan.config.numerics != "published" else {}
        return digest(told | ({"skipping": skipping} if skipping else {}))

    def retrain(self, job: str) -> str | None:
        """What sets off a job that owns a run which ``retrain`` names, each time anew; None for the others."""
        glob = self.plan.config.retrain
        matches = glob and any(fnmatchcase(run.id, glob) for run in self.plan.jobs[job].runs)
        return f"{glob} at {time()}" if matches else None

    def lost(self, job: str) -> str | None:
        """Changes when a run that a job has made is gone, or its learner. That is looked up when the rule is
        planned."""
        paths = self.plan.paths
        return lost.state(Path(paths.runs), Path(paths.job(job)), self.plan.jobs[job].runs)

    def dataset(self, name: str) -> str:
        """Changes with the catalog's entry, the shared numerics and, for a drawn set, with the code that draws it."""
        entry = dataset(name)
        drawn_by = _mini_world() if entry.source.kind == "drawn" else None
        told = {"entry": entry.model_dump(mode="json"), "code": drawn_by, "numerics": NUMERICS}
        return digest(told | {"given": self._given("prepare", {})})

    def raw(self, name: str) -> str | None:
        """Changes when the raw images of a data set are no longer as they were when it was prepared. That is looked up
        when the rule is planned."""
        return raw.state(Path(self.plan.paths.split(name)).parent, Path(self.plan.paths.raw(name)))

    def asking(self, source: str, job: str) -> str:
        """Changes with what a language model is asked, and with what is made of its answers. job: its module."""
        return digest([self.plan.language_models[source].asked, _code(f"{ASKING}.{job}", ROOMS)])

    def search(self, name: str, tower: str, id: str) -> str:
        """Changes with how attributes are searched, and with what the backbone's weights are and are read as."""
        told = [NUMERICS, _code("papertables.training.search", ROOMS), *filter(None, self._weights(tower))]
        return digest([*told, self._given("search", self.plan.inputs.search(name, tower, id).files)])

    def inspect(self, run: str, part: ShownPart) -> str:
        """Changes with how runs are inspected, the template, and with what the backbone's weights are and are read
        as."""
        job, rooms = self.plan.inputs.inspect(run, part), (*ROOMS, "papertables.training.mapping_history")
        told = [NUMERICS, _code("papertables.training.inspect", rooms), self._weights(job.run.backbone)]
        return digest([*told, job.frozen.template, self._given("inspect", job.files)])

    @cached_property
    def pretrain(self) -> str:
        """Changes with how tiny backbones are made and what they are pretrained on."""
        modules = ("papertables.backbones.mini", "papertables.backbones.mini_classifiers")
        rooms = ("papertables.backbones", "papertables.data.miniworld")
        return digest([*(_code(module, rooms) for module in modules), _mini_world()])

    def _given(self, rule: str, files: Files) -> JsonValue:
        """A rule's script, and the files that it reads: what is committed by its contents, the rest by its name alone,
        for Snakemake looks at its time. So a clone, whose files are all new, sets nothing off."""
        listed = chain.from_iterable([each] if isinstance(each, str) else each for each in files.values())
        named = [(path, *self.plan.paths.place(path)) for path in listed]
        script = self.plan.project.root / "workflow" / "scripts" / f"{rule}.py"
        return [
            code_digest([script]),
            [[name, own and _contents(path, raw.stamp(Path(path)))] for path, name, own in named],
        ]

    def _weights(self, name: str) -> tuple[str | None, str | None]:
        """As what a backbone's weights are read, and, of a file of the user's, its size and time: a file that is put in
        its place may be older."""
        own = self.plan.config.weights.get(name)
        return backbone_with(name, own).reading, raw.stamp(Path(own.path)) if own else None

    def artefact(self, planned: PlannedArtefact) -> str:
        """Changes with what an artefact says (declaration, runs, selection) and with how it is drawn."""
        computed = planned.artefact.computed
        about = (*ROOMS, "papertables.backbones")  # what computed tables are about
        return digest(
            {
                "artefact": planned.artefact.model_dump(mode="json"),
                "paper": planned.paper.model_dump(mode="json"),
                "scale": self.plan.scale.model_dump(mode="json"),
                "selection": planned.selection,
                "choices": computed and self.plan.config.choices,  # of others the runs tell
                "runs": [(run.digest, run.fidelity.on_nonfinite) for run in planned.runs],
                "epochs": [planned.shown_epoch(run) for run in planned.runs],
                "partial": self._partial,
                "code": [self._artefact_code, computed and _code(f"papertables.artefacts.computed.{computed}", about)],
                "datasets": [dataset(name).model_dump(mode="json") for name in planned.paper.datasets],
                "backbones": self._backbones,
                "given": self._given(planned.artefact.kind, self.plan.inputs.artefact(planned).files),
            }
        )

    @cached_property
    def runs_csv(self) -> str:
        """Changes with which runs are listed and with how."""
        runs = [run.digest for id in self.plan.selected for run in self.plan.artefacts[id].runs]
        return digest([runs, self._artefact_code, self._partial, self._given("runs_csv", {})])

    def verdicts(self, paper: str) -> str:
        """Changes with what is claimed, with the artefacts that are there, and with how verdicts are reached."""
        claimed = self.plan.inputs.verdicts(paper)
        told = {
            "paper": claimed.scope.paper.model_dump(mode="json"),
            "claims": {id: claim.model_dump(mode="json") for id, claim in claimed.claims.items()},
            "artefacts": [self.artefact(planned) for planned, _ in claimed.artefacts],
            "elsewhere": dict(claimed.elsewhere),
            "tables": list(claimed.tables),
            "code": self._artefact_code,
        }
        return digest(told | {"given": self._given("judge", {}), "partial": self._partial})

    @cached_property
    def index(self) -> str:
        """Changes with what the page says of the scale and the configuration, and with how it is drawn."""
        about = [each.model_dump(mode="json") for each in (self.plan.scale, self.plan.config)]
        return digest([about, self._artefact_code, self._partial, self._given("index", {})])

    @cached_property
    def _partial(self) -> JsonValue:
        """Another one each time where artefacts are made of what is there, for that changes unseen."""
        return self.plan.config.partial and time()

    @cached_property
    def _backbones(self) -> JsonValue:
        """What is said of each backbone below a table."""
        own = {name: weights.model_dump(mode="json") for name, weights in self.plan.config.weights.items()}
        return {name: [entry.model_dump(mode="json"), own.get(name)] for name, entry in backbones().items()}

    @cached_property
    def _artefact_code(self) -> str:
        templates = [path.read_text("utf-8") for path in sorted((ARTEFACTS / "templates").iterdir())]
        return digest([code_digest(sorted(ARTEFACTS.rglob("*.py"))), *templates])


@cache
def _code(module: str, within: tuple[str, ...]) -> str:
    return code_digest(source_files(module, within))


@cache
def _contents(path: str, stamp: str | None) -> str | None:
    return file_digest(Path(path)) if stamp else None


@cache
def _mini_world() -> str:
    return code_digest(sorted(MINI_WORLD.rglob("*.py")))
