"""What an artefact shows, once planned: its cells, their members, and the runs of these."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain

from papertables.backbones.catalog import Backbone
from papertables.planning.axes import Value, axis_of, rows_of
from papertables.planning.scope import Scope
from papertables.planning.settings import Settings
from papertables.specs.artefact import Artefact, Axis
from papertables.specs.config import Measure, Selection
from papertables.specs.paper import Paper
from papertables.specs.spec import RunSpec, SearchSpec, Target


@dataclass(frozen=True)
class Member:
    """One (method, backbone, data set, overrides) of a cell with its runs, one per seed (one in all if unseeded).

    scored: what the cell shows of each run, base and new classes for their harmonic mean. choices: of the paper that
    touch it, as they are made. search: whose winner its prompts take as attributes. settings: what its runs' specs were
    made from; declared: the same as the paper has it. teacher: of students, with the one run that all of them learn
    from.
    """

    method: str  # label
    backbone: Backbone
    dataset: str  # label
    runs: tuple[RunSpec, ...]
    settings: Settings
    declared: Settings
    scored: tuple[Target, ...] = ()
    choices: Mapping[str, str] = field(default_factory=dict)
    search: SearchSpec | None = None
    teacher: "Member | None" = None


@dataclass(frozen=True)
class Cell:
    """Members: one, or one per value of the pool, over which the cell is the average; none of a method whose published
    numbers alone are shown. Of a gain those of the method, then those of the one that it is over."""

    row: Value
    column: Value
    members: tuple[Member, ...]
    measure: Measure = "accuracy"

    @property
    def halves(self) -> tuple["Cell", "Cell"]:
        """Of a gain, the accuracies that it is the difference of."""
        middle = len(self.members) // 2
        parts = (self.members[:middle], self.members[middle:])
        return tuple(replace(self, members=part, measure="accuracy") for part in parts)

    @property
    def datasets(self) -> frozenset[str]:
        """Those that its runs are trained on or that it shows them on."""
        trained = {run.dataset for member in self.members for run in member.runs}
        return frozenset(trained | {target.dataset for member in self.members for target in member.scored})


@dataclass(frozen=True)
class PlannedArtefact:
    artefact: Artefact
    scope: Scope
    rows: tuple[Value, ...]
    columns: tuple[Value, ...]
    cells: tuple[Cell, ...]  # row by row
    searches: tuple[SearchSpec, ...] = ()  # that it shows
    sentences: Mapping[str, tuple[str, str]] = field(
        default_factory=dict
    )  # that it reads itself: by row, source and set
    others: tuple["PlannedArtefact", ...] = ()  # whose runs it shows

    @property
    def paper(self) -> Paper:
        return self.scope.paper

    def selecting(self, selection: Selection) -> "PlannedArtefact":
        """The same with another epoch of every run."""
        config = self.scope.config.model_copy(update={"selection": selection})
        return replace(self, scope=replace(self.scope, config=config))

    @property
    def selection(self) -> Selection:
        """Asked for, or the artefact's own, or the paper's."""
        return self.scope.config.selection or self.artefact.selection or self.paper.selection

    def shown_epoch(self, run: RunSpec) -> Selection:
        """Which epoch of a run it shows: that asked for, or what the run's released code keeps, or its own."""
        kept = "best" if run.fidelity.kept_epoch == "best" else None
        return self.scope.config.selection or kept or self.selection

    @property
    def other_epochs(self) -> dict[Selection, list[str]]:
        """The methods of which it shows another epoch than its selection, by that epoch."""
        found: dict[Selection, dict[str, None]] = {}
        for member in self.members:
            if (epoch := self.shown_epoch(member.runs[0])) != self.selection:
                found.setdefault(epoch, {})[member.method] = None
        return {epoch: list(methods) for epoch, methods in found.items()}

    def tests(self, run: RunSpec, selection: Selection | None = None) -> int:
        """Epochs between the tests of a run that it shows: of what a paper, or the run's released code, selects by
        them, and of figures of them; 0: the last epoch alone. selection: in place of the configuration's."""
        own = (self.artefact.selection or self.paper.selection, run.fidelity.kept_epoch)
        selects = "best" in own and (selection or self.shown_epoch(run)) == "best"
        return self.scope.evaluate_every if selects or self.artefact.shows_tests else 0

    @property
    def comparable(self) -> bool:
        """Whether published numbers may stand beside the cells."""
        return self.scope.scale.compares

    def declared(self, axis: Axis) -> tuple[Value, ...]:
        """An axis as the paper has it, whatever stands in at the scale."""
        return axis_of(self.scope.published, self.artefact, axis)

    @property
    def declared_rows(self) -> tuple[Value, ...]:
        """The rows as the paper has them."""
        return rows_of(self.scope.published, self.artefact)

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """Of its cells, each teacher before its students."""
        shown = (member for cell in self.cells for member in cell.members)
        return tuple(each for member in shown for each in (member.teacher, member) if each)

    @cached_property
    def runs(self) -> tuple[RunSpec, ...]:
        """Every run of the artefact, once, in order."""
        own = (run for member in self.members for run in member.runs)
        return tuple({run.id: run for run in chain(own, *(other.runs for other in self.others))}.values())

    @property
    def datasets(self) -> tuple[str, ...]:
        """Every data set that its runs and searches see."""
        seen = {name for cell in self.cells for name in cell.datasets}.union(*(each.datasets for each in self.others))
        return tuple(sorted(seen | {search.dataset for search in self.searches}))

    def shown_in(self, cell: Cell) -> frozenset[str]:
        """The data sets of a cell; of one without runs those that its published number is of."""
        settings = self.artefact.fixed | cell.row.settings | cell.column.settings
        pool = axis_of(self.scope, self.artefact, self.artefact.pool) if self.artefact.pool else ()
        named = [settings | value.settings for value in pool] or [settings]
        names = {self.scope.dataset(each[key]) for each in named for key in ("dataset", "target") if each.get(key)}
        return cell.datasets or frozenset(name for name in names if name)
