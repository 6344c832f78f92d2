"""Why a run would train again: what of it is not as it was when it was made."""

from pathlib import Path

from papertables.base.errors import UserError, did_you_mean
from papertables.planning.plan import Plan
from papertables.results.metrics import Fingerprint
from papertables.results.store import Store, same_numbers
from papertables.specs.spec import RunSpec
from papertables.training.record import fingerprints, texts_of, winners_of

PARTS = {
    "data": "the contents of its data set",
    "backbone": "the weights of its backbone",
    "attributes": "its sentences, or the attributes that were searched for it",
    "method": "the code of its method",
    "numerics": "the version of the shared numerics",
    "reading": "as what its backbone's weights are read",
    "teacher": "the run that it learned from",
}
SHORT = 12  # characters of a digest that are shown


def named(plan: Plan, name: str) -> RunSpec:
    """The run that a name, or the part of one that no other has, stands for; raises UserError."""
    found = [id for id in plan.job_of if name == id] or [id for id in plan.job_of if name in id]
    if len(found) == 1:
        return plan.run(found[0])
    if found:
        raise UserError(f"'{name}' is part of {len(found):,} run ids, such as {found[0]} and {found[1]}: name one")
    raise UserError(
        f"no run of scale {plan.scale.name} is called '{name}'{did_you_mean(name, plan.job_of)}: "
        f"run ids stand in {plan.paths.runs_csv}"
    )


def why(plan: Plan, run: RunSpec) -> list[str]:
    """A line for everything that would have a run made again, with what was and what is; none for one that would not
    be."""
    store = Store(Path(plan.paths.runs))
    if not (store.root / run.id).exists():
        return ["it was not made yet"]
    problems = list(store.unsound([run]))
    try:
        found = store.record(run.id)
    except UserError as error:
        return problems or [str(error)]
    if not found.is_of(run):
        problems.append("its record is of another spec")
    job = plan.inputs.train(plan.job_of[run.id])
    try:
        now = fingerprints(job, texts_of(job), winners_of(job), store)[run.id]
    except FileNotFoundError as error:
        return [*problems, f"{error.filename} is to be made first, so the rest is not known"]
    except UserError as error:  # of its teacher
        return [*problems, f"its teacher is to be made first, so the rest is not known ({error})"]
    if not same_numbers(found.fingerprint, now):
        problems += _changes(found.fingerprint, now)
    return problems


def _changes(was: Fingerprint, now: Fingerprint) -> list[str]:
    pairs = ((name, getattr(was, name), getattr(now, name)) for name in PARTS)
    return [
        f"{PARTS[name]} changed ({name}): {_short(one)} was, {_short(other)} is"
        for name, one, other in pairs
        if one != other
    ]


def _short(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 2 * SHORT else f"{text[:SHORT]}…"
