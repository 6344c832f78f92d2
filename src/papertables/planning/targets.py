"""The targets that a user may name, and the artefacts behind them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from papertables.backbones.catalog import backbones
from papertables.base.errors import UserError, did_you_mean, unknown
from papertables.data.catalog import datasets
from papertables.planning.paths import SHIPPED_WEIGHTS
from papertables.planning.plan import FORMATS, Plan
from papertables.planning.project import scales
from papertables.specs.rules import Files

CONFIGURED, PLAN, FETCH, GENERATE, ADOPT, PDF = "configured", "plan", "fetch", "generate", "adopt", "pdf"
NAMES = {
    CONFIGURED: "what config.yaml names, with its page and its table of runs: the default",
    "index": "the pages of what config.yaml names",
    "verdicts": "which of the papers' claims hold, by the artefacts behind it",
    PDF: "all of it as one PDF, printed by a Chromium or Chrome that is installed",
    "runs_csv": "every evaluation behind it, a row each",
    PLAN: "what it costs, before anything runs",
    FETCH: "all that it needs from elsewhere: data, weights, sentences; after it no network is needed",
    GENERATE: "what the artefacts behind it need of a language model, and nothing trained",
    ADOPT: "copies a model's answers to attributes/, with --config source=…",
    "pretrain_mini": "the tiny backbones, trained anew",
}


def asked(plan: Plan, targets: Iterable[str]) -> dict[str, bool]:
    """The artefacts behind targets, in canonical order, and whether their runs are wanted or only files that come
    before these. Those of the configuration where no target is named. Raises UserError for a target that nothing makes.
    """
    wanted: dict[str, bool] = {}
    for target in tuple(targets) or (CONFIGURED,):
        for artefact, runs in _behind(plan, target).items():
            wanted[artefact] = wanted.get(artefact, False) or runs
    return {id: wanted[id] for id in plan.artefacts if id in wanted}


def left_behind(plan: Plan, targets: Iterable[str]) -> dict[str, str]:
    """By id, what is wrong with artefacts that are broken among those behind targets, which are made without them."""
    found: dict[str, str] = {}
    for target in tuple(targets) or (CONFIGURED,):
        of_paper = target in plan.project.papers
        if of_paper or target in NAMES.keys() - {"pretrain_mini"} or target in _of_all(plan):
            wanted = plan.project.of_paper(target) if of_paper else plan.project.selected()
            found |= {id: str(plan.broken[id]) for id in wanted if id in plan.broken}
    return found


def named(plan: Plan) -> dict[str, list[str]]:
    """Every name that is a target, with the artefacts behind it."""
    names = dict.fromkeys(NAMES, plan.selected) | {PLAN: [], ADOPT: [], "pretrain_mini": []}
    for paper in plan.project.papers:
        names[paper] = [id for id, planned in plan.artefacts.items() if planned.paper.id == paper]
    return names | {id: [id] for id in plan.artefacts}


def _behind(plan: Plan, target: str) -> dict[str, bool]:
    names = named(plan)
    if target in names:
        return dict.fromkeys(names[target], target not in (FETCH, GENERATE))
    plan.require(target)
    made: dict[str, dict[str, bool]] = defaultdict(dict)
    for path, artefacts, runs in _files(plan):
        made[path] |= dict.fromkeys(artefacts, runs)
    if target in made:
        return made[target]
    if "/" not in target:
        raise UserError(unknown("target", target, names))
    _check_scale(plan, target)
    plan.require("_".join(Path(target).with_suffix("").parts[-2:]))  # results/<scale>/tables/<paper>/<name>.md
    folder = target.rpartition("/")[0]
    near = [path for path in made if path.rpartition("/")[0] == folder] or plan.files(plan.artefacts)
    raise UserError(
        f"unknown target '{target}'{did_you_mean(target, near)}: nothing makes such a file; targets are files, or one "
        f"of {', '.join(names)}"
    )


def _check_scale(plan: Plan, target: str) -> None:
    """Raises UserError for a file of another scale."""
    match Path(target).parts:
        case ("results", scale, _, *_) if scale != plan.scale.name:
            known = scales(plan.project.root)
            if scale not in known:
                raise UserError(f"target {target}: {unknown('scale', scale, known)}")
            raise UserError(f"target {target} belongs to scale {scale}: add --config scale={scale}")


def _files(plan: Plan) -> Iterator[tuple[str, Iterable[str], bool]]:
    """Every file that some rule makes, the artefacts behind it, and whether their runs come before it."""
    paths = plan.paths
    for id, planned in plan.artefacts.items():
        for path in plan.files([id], [*FORMATS[planned.artefact.kind], "json"]):
            yield path, [id], True
        for run in plan.inspected(planned):
            yield paths.inspection(run.id, planned.selection, planned.artefact.part), [id], True
    yield from ((path, plan.selected, True) for path in (*_of_all(plan), *plan.verdicts))
    for job in plan.jobs.values():
        yield paths.job(job.id), [job.artefact], True
        for path in _made(plan, plan.inputs.train(job.id).files):
            yield path, [job.artefact], False
    for search in plan.searches.values():
        owners = [id for id, planned in plan.artefacts.items() if search in planned.searches]
        yield paths.search(search), owners, True
        for path in _made(plan, plan.inputs.search(search.dataset, search.backbone, search.id).files):
            yield path, owners, False
    for name in datasets():
        yield from ((path, [], False) for path in (paths.split(name), paths.manifest(name)))
    for id, entry in backbones().items():
        if entry.shipped:
            yield f"{paths.pretrained(id)}.safetensors", [], False
            yield f"{paths.pretrained(id)}.json", [], False


def _of_all(plan: Plan) -> tuple[str, ...]:
    """The files that are made of everything that the configuration names."""
    paths = plan.paths
    return paths.runs_csv, paths.index, paths.document, paths.pdf, paths.pages


def _made(plan: Plan, files: Files) -> Iterator[str]:
    """Those files of a job that some rule makes: not what is committed, nor a user's own weights."""
    committed = (str(plan.paths.committed), str(SHIPPED_WEIGHTS))
    own = {each.path for each in plan.config.weights.values()}
    for each in files.values():
        for path in [each] if isinstance(each, str) else each:
            if path not in own and not path.startswith(committed):
                yield path
