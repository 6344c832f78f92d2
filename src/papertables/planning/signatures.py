"""What sets a job off beside its files: digests of declarations, of code and of settings, as its rule's parameters."""

from fnmatch import fnmatchcase
from functools import cache, cached_property
from time import time
from typing import TYPE_CHECKING

from papertables import NUMERICS
from papertables.code import FOLDER, code_digest, source_files
from papertables.data.catalog import dataset
from papertables.methods.table import method_code
from papertables.planning.cells import PlannedArtefact
from papertables.planning.jobs import Job
from papertables.spec import digest

if TYPE_CHECKING:
    from papertables.planning.plan import Plan

ARTEFACTS = FOLDER / "artefacts"
MINI_WORLD = FOLDER / "data" / "miniworld"
ROOMS = ("papertables.methods", "papertables.attributes")  # whose code is fingerprinted by itself


class Signatures:
    """The signatures of one plan's jobs."""

    def __init__(self, plan: "Plan"):
        self.plan = plan

    def train(self, job: Job) -> str:
        """Changes with a spec, the code of a method, the shared numerics, what the runs are scored on, and which of
        them go on after a loss that is not finite."""
        skipping = [run.id for run in job.trained if run.skips]
        code = {run.method: method_code(run.method) for run in job.runs}
        targets = {run.id: self.plan.targets.get(run.id, ()) for run in job.trained}
        told = {"runs": [run.digest for run in job.runs], "code": code, "numerics": NUMERICS, "on": targets}
        return digest(told | ({"skipping": skipping} if skipping else {}))

    def retrain(self, job: str) -> str | None:
        """What sets off a job that owns a run which ``retrain`` names, each time anew; None for the others."""
        glob = self.plan.config.retrain
        matches = glob and any(fnmatchcase(run.id, glob) for run in self.plan.jobs[job].runs)
        return f"{glob} at {time()}" if matches else None

    def dataset(self, name: str) -> str:
        """Changes with the catalog's entry and, for a drawn set, with the code that draws it."""
        entry = dataset(name)
        drawn_by = sorted(MINI_WORLD.rglob("*.py")) if entry.source.kind == "drawn" else []
        return digest({"entry": entry.model_dump(mode="json"), "code": code_digest(drawn_by)})

    @cached_property
    def search(self) -> str:
        """Changes with how attributes are searched."""
        return digest([NUMERICS, _code("papertables.training.search", ROOMS)])

    @cached_property
    def inspect(self) -> str:
        """Changes with how runs are inspected."""
        rooms = (*ROOMS, "papertables.training.mapping_history")
        return digest([NUMERICS, _code("papertables.training.inspect", rooms)])

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
                "partial": self.plan.config.partial and time(),  # what is there changes unseen
                "code": [self._artefact_code, computed and _code(f"papertables.artefacts.computed.{computed}", about)],
                "datasets": [dataset(name).model_dump(mode="json") for name in planned.paper.datasets],
            }
        )

    @cached_property
    def _artefact_code(self) -> str:
        templates = [path.read_text("utf-8") for path in sorted(ARTEFACTS.rglob("*.html"))]
        return digest([code_digest(sorted(ARTEFACTS.rglob("*.py"))), *templates])


@cache
def _code(module: str, within: tuple[str, ...]) -> str:
    return code_digest(source_files(module, within))
