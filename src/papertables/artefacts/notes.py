"""What stands under a table: how its numbers were made."""

from collections.abc import Iterable, Mapping, Sequence

from papertables.artefacts.licences import licences
from papertables.backbones.catalog import backbone
from papertables.data.catalog import dataset
from papertables.methods.options import SEARCHED
from papertables.methods.table import METHODS
from papertables.planning.asking import source_said
from papertables.planning.planned import Cell, PlannedArtefact
from papertables.results.metrics import Metrics
from papertables.specs.config import PUBLISHED
from papertables.specs.paper import Paper
from papertables.specs.spec import FEW_SHOT, RunSpec, Training

OTHER_EPOCH = "§"  # what shows another epoch than its table
EPOCHS = {"best": "best epoch on the test set", "last": "last epoch"}
SELECTIONS = {
    "best": "accuracy of the epoch that is best on the test set",
    "last": "accuracy after the last epoch",
}


def run_notes(
    planned: PlannedArtefact, runs: Sequence[RunSpec], averaged: bool, subsets: Mapping[str, str]
) -> list[str]:
    """Scale and substitutes, seeds, training, attributes, selection, fidelity, licences. subsets: what is said of data
    sets that are there in part, by name."""
    notes = [
        _scale(planned, runs, subsets),
        _seeds(runs),
        *_training(planned, runs, subsets),
        _sentences(planned, runs),
        _searched(planned, runs),
        _selection(planned),
        _averages(planned, averaged),
        *choice_notes(planned.paper, planned.cells),
        *_fidelity(planned, runs),
        licences(planned.datasets, runs),
    ]
    return [note for note in notes if note]


def numerics_notes(found: Iterable[Metrics]) -> list[str]:
    """How many scores are less exact than published, and how many mappings were made so; nothing where none are."""
    runs = list(found)
    scores = [each.numerics for run in runs for each in run.evaluations]
    fast, passes = scores.count("fast"), sum(run.fingerprint.passes == "fast" for run in runs)
    if not fast and not passes:
        return []
    mapped = f"; so were the label mappings of {passes} of {len(runs)} runs" if passes else ""
    return [f"Numerics fast: {fast} of {len(scores)} scores were computed in half precision{mapped}."]


def _scale(planned: PlannedArtefact, runs: Sequence[RunSpec], subsets: Mapping[str, str]) -> str:
    scale = planned.scope.scale
    parts = [f"Scale {scale.name}: {scale.title.rstrip('.')}", *subsets.values()]
    names = {str(name) for value in (*planned.rows, *planned.columns) for name in value.settings.values()}
    names |= {str(name) for name in planned.artefact.fixed.values()}
    scope = planned.scope
    if scope.substitutes is None:
        return "; ".join(parts) + "."
    for published, substitute in scope.substitutes.backbones.items():
        if substitute not in (None, published) and published in names:
            parts.append(f"{backbone(substitute).label} stands in for {backbone(published).label}")
    axes = (planned.artefact.rows, planned.artefact.columns, planned.artefact.pool)
    sets = [axis for axis in axes if axis and axis.vary in ("dataset", "target")]
    listed = () if scope.substitutes.datasets else planned.paper.datasets
    named = [name for axis in sets for name in (listed if axis.values == "all" else axis.values)]
    named += [planned.artefact.fixed["dataset"]] if "dataset" in planned.artefact.fixed else []
    pairs = {name: scope.dataset(name) for name in named}
    replacing = {name: ours for name, ours in pairs.items() if ours not in (None, name)}
    parts += [f"{dataset(ours).label} stands in for {dataset(name).label}" for name, ours in replacing.items()]
    if not named:
        ours = list(dict.fromkeys(dataset(run.dataset).label for run in runs))
        verb = "stands" if len(ours) == 1 else "stand"
        parts.append(f"{_and(ours)} {verb} in for the paper's {len(planned.paper.datasets)} data sets")
    left_out = [dataset(name).label for name, ours in pairs.items() if not ours] + _left_out(planned)
    if left_out:
        parts.append(f"left out here: {_and(left_out)}")
    used = {run.attributes for run in runs}
    for published, substitute in scope.substitutes.attributes.items():
        if substitute in used:
            parts.append(f"sentences '{substitute}' stand in for '{published}'")
    return "; ".join(parts) + "."


def _left_out(planned: PlannedArtefact) -> list[str]:
    """What the artefact declares beside data sets, and the scale has nothing for."""
    artefact, names = planned.artefact, []
    shown = {value.published for value in (*planned.rows, *planned.columns)}
    for axis in (artefact.rows, artefact.blocks, artefact.columns):
        if axis and axis.vary not in ("dataset", "target"):
            declared = (value.published for value in planned.declared(axis))
            prefix = f"{axis.vary.rpartition('.')[2]} " if "." in axis.vary else ""
            names += [f"{prefix}{name}" for name in declared if not _is_shown(name, shown)]
    return names


def _is_shown(name: str, shown: set[str]) -> bool:
    """A row of a block is called ``block: row``."""
    return any(each == name or each.startswith(f"{name}: ") or each.endswith(f": {name}") for each in shown)


def _seeds(runs: Sequence[RunSpec]) -> str:
    seeds = sorted({run.seed for run in runs if run.seed is not None})
    if not seeds:
        return "Nothing is drawn: one run per cell, no deviation."
    text = f"Seed {seeds[0]} alone, so no deviation"
    if len(seeds) > 1:
        text = f"Mean ± sample standard deviation over seeds {_and(seeds)}"
    if any(run.seed is None for run in runs):
        text += "; a method that draws nothing has one run and no deviation"
    return text + "."


def _training(planned: PlannedArtefact, runs: Sequence[RunSpec], subsets: Mapping[str, str]) -> list[str]:
    """Shots, epochs, batch size, rates, and the fit of images, with the paper's own where these were replaced; what is
    not the same for all methods in a note of its own."""
    trained = [run for run in runs if run.training]
    if not trained:
        return []
    shots = {run.shots for run in trained if not run.teacher} or {None}
    fractions = {run.fraction for run in trained}
    every = "all training images" + (" that are there" if subsets.keys() & {run.dataset for run in trained} else "")
    parts = [f"{_and(sorted(shots))} shots per class" if None not in shots else every]
    if fractions != {None}:
        parts = [f"{_and(f'{each:g}' for each in sorted(each or 1 for each in fractions))} of the training images"]
    if any(run.teacher for run in trained) and None not in shots:
        parts.append("students on all training images of all classes, without labels")
    teachers = {member.teacher.method for member in planned.members if member.teacher}
    pairs = [
        (
            f"teacher {member.method}" if member.method in teachers else member.method,
            run.training,
            Training(**member.declared.of("training")),
        )
        for member in planned.members
        for run in member.runs[:1]
        if run.training
    ]
    own = [run.training for run in trained]
    told = {
        "epochs": lambda training: training.epochs,
        "batch size": lambda training: training.batch_size,
        "learning rate": lambda training: training.optimizer.lr,
    }
    by_method = []
    for name, value in told.items():
        methods = _methods_by_value([(method, value(ours), value(theirs)) for method, ours, theirs in pairs])
        said = [(_replaced(*values), names) for values, names in methods.items()]
        if all(sorted(names) == sorted(said[0][1]) for _, names in said):  # no method has a value of its own
            parts.append(f"{name} {_and(text for text, _ in said)}")
        else:
            groups = "; ".join(f"{text} for {_and(names)}" for text, names in said)
            by_method.append(f"{name.capitalize()}: {groups}.")
    every = planned.scope.evaluate_every
    parts += [f"epochs between tests {every} (published: 1)"] if every > 1 and any(map(planned.tests, trained)) else []
    rates: dict[float, set[str]] = {}
    for part, settings in (item for each in own for item in each.parts.items()):
        rates.setdefault(settings.optimizer.lr, set()).add(part)
    parts += [f"learning rate of {_and(sorted(names))} {rate:g}" for rate, names in sorted(rates.items())]
    fits = {run.images.fit for run in trained}
    published = {member.declared.of("images")["fit"] for member in planned.members}
    if not fits <= published:
        parts.append(f"images fit {_and(sorted(fits))} (published: {_and(sorted(published))})")
    return [f"Training: {'; '.join(parts)}.", *by_method]


def _methods_by_value(pairs: Sequence[tuple[str, float, float]]) -> dict[tuple[float, float], list[str]]:
    """The methods with a value and the paper's own, by both. pairs: method, our value and the paper's."""
    methods: dict[tuple[float, float], dict[str, None]] = {}
    for method, ours, theirs in pairs:
        methods.setdefault((ours, theirs), {})[method] = None
    return {values: list(names) for values, names in sorted(methods.items())}


def _replaced(ours: float, theirs: float) -> str:
    """``8``, or ``8 (published: 200)``."""
    return f"{ours:g}" + (f" (published: {theirs:g})" if ours != theirs else "")


def _sentences(planned: PlannedArtefact, runs: Sequence[RunSpec]) -> str:
    sources = dict.fromkeys(run.attributes for run in runs if run.attributes)
    told = [source_said(planned.scope.config, source) for source in sources]
    return f"Sentences: {'; '.join(told)}." if told else ""


def _searched(planned: PlannedArtefact, runs: Sequence[RunSpec]) -> str:
    if not any(run.options.get("attributes") == SEARCHED for run in runs):
        return ""
    config = planned.scope.config
    among = "" if config.bases == PUBLISHED else f", in the bases of {source_said(config, config.bases)}"
    return f"Attributes: the winner of the first seed's search on each data set{among}, not the published ones."


def _selection(planned: PlannedArtefact) -> str:
    paper, others = planned.paper, planned.other_epochs
    but = "".join(
        f" {OTHER_EPOCH} Of {_and(methods)} the {EPOCHS[epoch]}, whose learner the released code keeps."
        for epoch, methods in others.items()
    )
    text = f"Selection {planned.selection}: {SELECTIONS[planned.selection]}"
    if planned.selection == paper.selection:
        return f"{text} ({paper.selection_source}).{but}"
    return f"{text}, where the paper reports '{paper.selection}' ({paper.selection_source}).{but}"


def _averages(planned: PlannedArtefact, averaged: bool) -> str:
    parts = []
    if planned.artefact.pool:
        names = dict.fromkeys(member.dataset for cell in planned.cells for member in cell.members)
        parts.append(f"A cell is the average over {_and(names)}, seed by seed.")
    if averaged:
        parts.append("Averages are taken seed by seed.")
    return " ".join(parts)


def choice_notes(paper: Paper, cells: Iterable[Cell], group: str | None = None) -> list[str]:
    """What is chosen where sources differ, with the evidence, and what else there is. group: of settings (``training``,
    ``dataset``, …), where nothing is shown but these."""
    made: dict[str, dict[str, None]] = {}
    for member in (member for cell in cells for member in cell.members):
        for name, value in member.choices.items():
            if group is None or _adjusts(paper, name, group):
                made.setdefault(name, {})[value] = None
    notes = []
    for name, values in made.items():
        choice = paper.choices[name]
        told = " ".join(f"{value}: {choice.values[value].rstrip('.')}." for value in values)
        others = [value for value in choice.values if value not in values]
        notes.append(f"Choice {name} = {told}" + (f" Other values: {_and(others)}." if others else ""))
    return notes


def _adjusts(paper: Paper, choice: str, group: str) -> bool:
    return any(path.partition(".")[0] == group for each in paper.adjust if choice in each.when for path in each.set)


def _fidelity(planned: PlannedArtefact, runs: Sequence[RunSpec]) -> list[str]:
    """The switches that can touch one of the runs, with what they are set to and the evidence."""
    notes = []
    for name, switch in planned.paper.fidelity.items():
        values = {getattr(run.fidelity, name) for run in runs if _touches(name, run)}
        if not values:
            continue
        is_what = ""
        if switch.published != switch.repaired:
            is_what = " (as published)" if values == {switch.published} else f" (the released code: {switch.published})"
        evidence = switch.evidence.rstrip(".")
        notes.append(f"Fidelity: {name} = {_and(sorted(values, key=str))}{is_what}. {evidence}.")
    return notes


def _touches(switch: str, run: RunSpec) -> bool:
    if switch == "shared_seed" and run.fidelity.few_shot_draw != "shared":
        return False
    return switch in METHODS[run.method].switches(run.options, few_shot=run.protocol in FEW_SHOT)


def _and(values: Iterable[object]) -> str:
    return ", ".join(str(value) for value in values)
