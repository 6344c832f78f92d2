"""What a result depends on sets off exactly the jobs that depend on it."""

import os
from pathlib import Path

import pytest

from papertables.backbones import catalog
from papertables.data import raw
from papertables.planning import signatures as module
from papertables.planning.plan import Plan
from papertables.planning.signatures import Signatures
from papertables.specs.config import OwnWeights
from tests.unit.plans import plan_of

ARTEFACTS = ["blm_padding", "attrvr_table1", "atprompt_table3"]
CLASSIFIER, CLIP = "mini-cls-rn", "mini-vit"
TRAINING = {"train", "search", "inspect"}


def told(plan: Plan) -> dict[tuple[str, str], str]:
    """The signature of every rule's jobs, by rule and what its job is of: a backbone, a data set, an artefact."""
    signatures, found = Signatures(plan), {}  # that remember nothing of another test
    for job in plan.jobs.values():
        tower = job.backbone
        found["train", f"{tower} {job.id}"] = signatures.train(job)
        for run in job.trained[:1]:
            found["inspect", f"{tower} {run.id}"] = signatures.inspect(run.id, "test")
        found["prepare", job.dataset] = signatures.dataset(job.dataset)
    for name, tower, search in plan.searches:
        found["search", f"{tower} {name} {search}"] = signatures.search(name, tower, search)
    found |= {("artefact", id): signatures.artefact(plan.artefacts[id]) for id in ARTEFACTS}
    return found | {("runs_csv", ""): signatures.runs_csv, ("index", ""): signatures.index}


def changed(before: dict, after: dict) -> set[tuple[str, str]]:
    assert before.keys() == after.keys()
    return {key for key in before if before[key] != after[key]}


def of_backbone(tower: str, keys: set) -> set:
    return {key for key in keys if key[0] in TRAINING and key[1].split(" ")[0] == tower}


def corrected(monkeypatch, id: str, **changes) -> None:
    entries = catalog.backbones()
    entries = entries | {id: entries[id].model_copy(update=changes)}
    for place in (catalog, module):
        monkeypatch.setattr(place, "backbones", lambda: entries)


@pytest.mark.slow
def test_the_same_plan_tells_the_same():
    assert told(plan_of()) == told(plan_of())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("id", "changes"),
    [
        (CLASSIFIER, {"mean": (0.5, 0.5, 0.5)}),
        (CLASSIFIER, {"std": (0.5, 0.5, 0.5)}),
        (CLIP, {"architecture": "mini-vit-2"}),
        (CLIP, {"kind": "open_clip"}),
    ],
    ids=["mean", "std", "architecture", "kind"],
)
def test_a_corrected_backbone_sets_off_what_goes_through_it(monkeypatch, id, changes):
    before = told(plan_of())
    corrected(monkeypatch, id, **changes)
    found = changed(before, told(plan_of()))
    assert {key for key in found if key[0] not in ("artefact",)} == of_backbone(id, before.keys())


@pytest.mark.slow
def test_what_is_only_said_of_a_backbone_sets_off_no_run(monkeypatch):
    before = told(plan_of())
    corrected(monkeypatch, CLIP, note="another word", licence="another")
    assert {rule for rule, _ in changed(before, told(plan_of()))} == {"artefact"}


def test_entries_are_read_as_before_records_said_it():
    """One that is corrected since is to be named here, with its reason, and so is one that came later."""
    came_later = {"clip_vit_l14"}
    assert {id for id, entry in catalog.backbones().items() if entry.reading} == came_later


@pytest.mark.slow
def test_weights_of_the_users_that_are_replaced_by_an_older_file(tmp_path):
    path = tmp_path / "mine.safetensors"
    path.write_bytes(b"one")
    config = {"weights": {CLASSIFIER: str(path)}}
    before = told(plan_of(**config))
    assert changed(before, told(plan_of(**config))) == set()
    path.write_bytes(b"two")
    os.utime(path, (1, 1))
    assert changed(before, told(plan_of(**config))) == of_backbone(CLASSIFIER, before.keys())


@pytest.mark.slow
@pytest.mark.parametrize("said", [{"mean": (0.5,) * 3, "std": (0.5,) * 3}, {"architecture": "ViT-B-32"}])
def test_what_the_user_says_of_weights(tmp_path, said):
    id, scale = ("clip_vit_b32", "paper") if "architecture" in said else (CLASSIFIER, "mini")
    path = tmp_path / "mine.pt"
    path.touch()
    before = told(plan_of(scale=scale, weights={id: str(path)}))
    found = changed(before, told(plan_of(scale=scale, weights={id: {"path": str(path), **said}})))
    assert {key for key in found if key[0] not in ("artefact", "index")} == of_backbone(id, before.keys())
    assert {"artefact", "index"} <= {rule for rule, _ in found}


@pytest.mark.slow
def test_raised_numerics_set_off_everything_that_computes(monkeypatch):
    before = told(plan_of())
    monkeypatch.setattr(module, "NUMERICS", module.NUMERICS + 1)
    assert changed(before, told(plan_of())) == {key for key in before if key[0] in {"prepare"} | TRAINING}


@pytest.mark.slow
def test_less_exact_tests_set_off_trainings_and_change_no_id():
    exact, fast = told(plan_of()), told(plan_of(numerics="fast"))
    assert changed(exact, fast) == {key for key in exact if key[0] in ("train", "index")}


@pytest.mark.slow
def test_a_template_sets_off_the_runs_of_its_data_set(monkeypatch):
    before = told(plan_of())
    known = module.dataset

    def other(name):
        return known(name).model_copy(update={"template": "A drawing of {}."}) if name == "mini_digits" else known(name)

    monkeypatch.setattr(module, "dataset", other)
    monkeypatch.setattr("papertables.planning.inputs.dataset", other)
    found = changed(before, told(plan_of()))
    jobs = plan_of().jobs
    assert {jobs[key[1].split(" ")[1]].dataset for key in found if key[0] == "train"} == {"mini_digits"}
    assert ("prepare", "mini_digits") in found and ("prepare", "mini_signs") not in found


@pytest.mark.slow
def test_a_partial_look_is_taken_anew_each_time():
    first, second = told(plan_of(partial=True)), told(plan_of(partial=True))
    assert {rule for rule, _ in changed(first, second)} == {"artefact", "runs_csv", "index"}


@pytest.mark.slow
def test_the_page_says_the_configuration():
    before = told(plan_of())
    assert ("index", "") in changed(before, told(plan_of(selection="last")))


@pytest.mark.slow
def test_a_replaced_image_sets_off_its_data_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = plan_of(data_root="data", scale="paper")
    folder, prepared = Path(plan.paths.raw("dtd")), Path(plan.paths.split("dtd")).parent
    folder.mkdir(parents=True)
    (folder / "image.png").write_bytes(b"one")
    assert plan.signatures.raw("dtd") is None
    raw.note(prepared, raw.stamps(folder), None)
    assert plan.signatures.raw("dtd") is None
    (folder / "image.png").write_bytes(b"other")
    assert plan.signatures.raw("dtd")
    assert plan.signatures.raw("eurosat") is None


def test_records_are_of_one_reading():
    entry = catalog.backbone_with(CLASSIFIER, OwnWeights(path="mine.pt"))
    assert entry.reading is None  # as the entry's own
    assert catalog.backbone_with(CLASSIFIER, OwnWeights(path="mine.pt", mean=(0, 0, 0), std=(1, 1, 1))).reading
