"""What was edited by hand in a file of results is named in one line, with the file and the mend. One row per edit."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save_file

from papertables.artefacts import collect
from papertables.base.errors import UserError
from papertables.results.inspections import read_inspection
from papertables.results.mappings import read_mappings
from papertables.results.metrics import Metrics
from papertables.results.searches import all_combinations, read_search
from papertables.results.store import Store
from papertables.specs.spec import RunSpec, SearchSpec
from tests.unit import artefact_world as world

VP, PLAIN = world.run("vp", "dtd", 1), world.run("zero_shot", "dtd", None)
SKIPS = VP.model_copy(update={"fidelity": VP.fidelity.model_copy(update={"on_nonfinite": "skip"})})
BASE = VP.model_copy(update={"protocol": "base_to_new"})

Record = dict  # as in JSON
Edit = Callable[[Record], object]


def trained() -> Record:
    return world.metrics_of(VP, 60.0, 50.0).model_dump(mode="json")


def untrained() -> Record:
    return world.metrics_of(PLAIN, 40.0, 40.0).model_dump(mode="json")


def diverged() -> Record:
    return world.ended(VP, 60.0).model_dump(mode="json")


def skipping() -> Record:
    """It goes on after an epoch without a finite loss."""
    record = world.metrics_of(SKIPS, 60.0, 50.0).model_dump(mode="json")
    record["curve"][2] |= {"train_loss": None, "nonfinite_steps": 4}
    return record


def transferred() -> Record:
    record = trained()
    record["evaluations"].append(record["evaluations"][0] | {"dataset": "eurosat", "data": "e0", "images": 50})
    return record


def base_to_new() -> Record:
    record = trained()
    record |= {"run": BASE.id, "spec": BASE.model_dump(mode="json")}
    own = record["evaluations"][0] | {"classes": "base"}
    record["evaluations"] = [own, own | {"classes": "new", "images": 80, "best": own["best"] | {"accuracy": 55.0}}]
    return record


RECORDS = {made.__name__: made for made in (trained, untrained, diverged, skipping, transferred, base_to_new)}


def put(path: str, value: object) -> Edit:
    """``curve.0.lr``"""

    def edit(record: Record) -> None:
        *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
        for part in parents:
            record = record[part]
        record[last] = value

    return edit


def both(*edits: Edit) -> Edit:
    return lambda record: [edit(record) for edit in edits]


def curve(change: Callable[[list], list]) -> Edit:
    return lambda record: record.update(curve=change(record["curve"]))


OWN = "evaluations.0"
EDITS: list[tuple[str, Edit, str]] = [  # which record, what is done to it, and what is said of it
    ("trained", put(f"{OWN}.best.accuracy", 50.0), "best score is 50.0 % after epoch 2, the curve says 60.0 %"),
    ("trained", put(f"{OWN}.best.accuracy", 99.9), "no number of 100 images gives 99.9 %"),
    ("trained", put(f"{OWN}.best.accuracy", 99.0), "best score is 99.0 %"),
    ("trained", put(f"{OWN}.best.accuracy", 100.1), "less than or equal to 100"),
    ("trained", put(f"{OWN}.best.accuracy", float("nan")), "finite number"),
    ("trained", put(f"{OWN}.best.accuracy", -1.0), "greater than or equal to 0"),
    ("trained", put(f"{OWN}.best.epoch", 9999), "best score is 60.0 % after epoch 9999"),
    ("trained", put(f"{OWN}.best.epoch", 1), "best score is 60.0 % after epoch 1"),
    ("trained", put(f"{OWN}.best.epoch", -1), "greater than or equal to 0"),
    ("trained", put(f"{OWN}.best", None), "finished run has a best and a last score"),
    ("trained", put(f"{OWN}.last.accuracy", 51.0), "last score is 51.0 %"),
    ("trained", put(f"{OWN}.last.epoch", 3), "last score is 50.0 % after epoch 3"),
    ("trained", put(f"{OWN}.last", None), "finished run has a best and a last score"),
    ("trained", put(f"{OWN}.images", 0), "greater than 0"),
    ("trained", put(f"{OWN}.images", 99), "no number of 99 images"),
    ("trained", put(f"{OWN}.dataset", "eurosat"), "the first evaluation is of eurosat"),
    ("trained", put(f"{OWN}.dataset", "nowhere"), "the first evaluation is of nowhere"),
    ("trained", put(f"{OWN}.classes", "new"), r"first evaluation is of dtd \(new\)"),
    ("trained", put(f"{OWN}.attributes", ["colour"]), r"first evaluation is of dtd \(all, colour\)"),
    ("trained", put(f"{OWN}.data", "d0"), "first evaluation is of dtd"),
    ("trained", put("evaluations", []), "there is no evaluation"),
    ("trained", lambda record: record["evaluations"].append(record["evaluations"][0]), "cannot be scored on dtd"),
    ("trained", put("curve", []), "must have epochs 1 to 4 in order, it has none"),
    ("trained", curve(lambda lines: lines[:-1]), "must have epochs 1 to 4 in order, it has 1, 2, 3"),
    ("trained", curve(lambda lines: [*lines, lines[-1]]), "it has 1, 2, 3, 4, 4"),
    ("trained", curve(lambda lines: lines[::-1]), "it has 4, 3, 2, 1"),
    ("trained", curve(lambda lines: [*lines[:1], *lines[2:]]), "it has 1, 3, 4"),
    ("trained", curve(lambda lines: [*lines, lines[-1] | {"epoch": 9999}]), "it has 1, 2, 3, 4, 9999"),
    ("trained", put("curve.0.epoch", 0), "greater than 0"),
    ("trained", put("curve.0.lr", float("inf")), "finite number"),
    ("trained", put("curve.0.lr", -0.1), "greater than or equal to 0"),
    ("trained", put("curve.0.train_loss", float("nan")), "finite number"),
    ("trained", put("curve.0.train_loss", -2.0), "greater than or equal to 0"),
    ("trained", put("curve.0.train_loss", None), "epoch 1 has no training loss"),
    ("trained", put("curve.0.train_accuracy", float("nan")), "finite number"),
    ("trained", put("curve.0.train_accuracy", 101), "less than or equal to 100"),
    ("trained", put("curve.0.test_accuracy", 60.0), "the curve says 60.0 % after epoch 1"),
    ("trained", put("curve.2.test_accuracy", 70.0), "the curve says 70.0 % after epoch 3"),
    ("trained", put("curve.2.test_accuracy", 12.34), "epoch 3: no number of 100 images"),
    ("trained", put("curve.3.test_accuracy", None), "epoch 4 is the last and lacks a test accuracy"),
    ("trained", put("curve.0.nonfinite_steps", 2), "losses that are not finite, which ends such a run"),
    ("trained", put("curve.0.nonfinite_steps", -1), "greater than or equal to 0"),
    ("trained", put("parameters", -1), "greater than or equal to 0"),
    ("trained", put("outcome", "diverged"), "go together"),
    ("trained", put("diverged", {"epoch": 1, "step": 1}), "go together"),
    ("trained", put("cost.seconds", -2.5), "greater than 0"),
    ("trained", put("cost.seconds", 0), "greater than 0"),
    ("trained", put("cost.seconds", 5.0), "1000 images in 5.0 s are not 400.0 a second"),
    ("trained", put("cost.images", 0), "greater than 0"),
    ("trained", both(put("cost.images", 399), put("cost.images_per_second", 159.6)), "fewer than were tested"),
    ("trained", put("cost.images_per_second", 1.0), "are not 1.0 a second"),
    ("trained", put("cost.peak_memory_mb", -1), "greater than or equal to 0"),
    ("trained", put("cost.peak_memory_mb", float("inf")), "finite number"),
    ("trained", put("cost.group_size", 0), "greater than 0"),
    ("trained", put("computed", {"precision": "fp16", "device": "cpu"}), "computed in fp16 on cpu"),
    ("trained", put("computed", {"precision": "bf16", "device": "cuda"}), "where the spec gives fp16"),
    ("trained", put("fingerprint.data", "somewhere"), "should match pattern"),
    ("trained", put("fingerprint.method", "ABC"), "should match pattern"),
    ("trained", put("fingerprint.attributes", ""), "should match pattern"),
    ("trained", put("fingerprint.numerics", 0), "greater than 0"),
    ("trained", put("git_commit", "main"), "should match pattern"),
    ("trained", put("spec.seed", 2), "but its spec says"),
    ("trained", put("spec.training.epochs", 3), "but its spec says"),
    ("trained", put("run", "dtd/clip_vit_b16/other"), "but its spec says"),
    ("trained", put("more", 1), "[Ee]xtra"),
    ("untrained", put("curve", world.curve(60.0, 50.0, 4)[:1]), "has no curve"),
    ("untrained", put("parameters", 10), "no trained values"),
    ("untrained", put(f"{OWN}.best.epoch", 2), "scored once, after epoch 0"),
    ("untrained", put(f"{OWN}.best.accuracy", 41.0), "scored once, after epoch 0"),
    ("untrained", put(f"{OWN}.images", 50), "100 images went through the tower, 50 were tested"),
    ("diverged", put("diverged.epoch", 0), "greater than 0"),
    ("diverged", put("diverged.step", 0), "greater than 0"),
    ("diverged", put("diverged.epoch", 9), "it diverged in epoch 9 of 4"),
    ("diverged", put("diverged.epoch", 2), "must have epochs 1 to 1 in order, it has 1, 2"),
    ("diverged", put(f"{OWN}.best", None), "best score is missing, the curve says 60.0 % after epoch 2"),
    ("diverged", put("spec.fidelity.on_nonfinite", "skip"), "goes on after a loss that is not finite"),
    ("diverged", both(put("outcome", "finished"), put("diverged", None)), "must have epochs 1 to 4 in order"),
    ("skipping", put("curve.2.nonfinite_steps", 0), "epoch 3 has no training loss"),
    ("skipping", put("spec.fidelity.on_nonfinite", "stop"), "which ends such a run"),
    ("transferred", put("evaluations.1.data", None), r"cannot be scored on eurosat \(all\)"),
    ("transferred", put("evaluations.1.classes", "base"), r"cannot be scored on eurosat \(base\)"),
    ("transferred", put("evaluations.1.attributes", ["colour"]), r"cannot be scored on eurosat \(all, colour\)"),
    ("transferred", put("evaluations.1.best.epoch", 1), r"best score on eurosat \(all\) is of epoch 1"),
    ("transferred", put("evaluations.1.last.epoch", 2), r"last score on eurosat \(all\) is of epoch 2"),
    ("transferred", lambda record: record["evaluations"].append(record["evaluations"][1]), "are of the same"),
    ("transferred", lambda record: record["evaluations"].reverse(), "the first evaluation is of eurosat"),
    ("base_to_new", put(f"{OWN}.classes", "all"), r"the run's own is of dtd \(base\)"),
    ("base_to_new", put("evaluations.1.classes", "all"), r"cannot be scored on dtd \(all\)"),
    ("base_to_new", put("evaluations.1.images", 79), "no number of 79 images"),
]


def named(error: pytest.ExceptionInfo, *files: Path) -> str:
    """The one line, which names files and says what to delete."""
    line = str(error.value)
    assert "\n" not in line and "delete" in line and "run again" in line
    assert all(str(file) in line for file in files)
    return line


def write(path: Path, record: Record) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record) + "\n")
    return path


def spec_of(record: Record) -> RunSpec:
    return RunSpec.model_validate(record["spec"])


@pytest.mark.parametrize("made", RECORDS.values(), ids=RECORDS)
def test_what_was_not_edited_is_read(made, tmp_path):
    record = made()
    path = write(tmp_path / "runs" / record["run"] / "metrics.json", record)
    job = write(tmp_path / "job.jsonl", record)
    expected = {record["run"]: Metrics.model_validate(record)}
    store, runs = Store(tmp_path / "runs"), [spec_of(record)]
    assert collect.read_jobs([job], store, runs) == collect.read_store(store, runs) == expected
    save_file({}, store.learner(record["run"]))
    assert list(store.unsound(runs)) == [] and path.exists()


@pytest.mark.parametrize(("which", "edit", "said"), EDITS, ids=[f"{name}: {said}" for name, _, said in EDITS])
def test_an_edited_record_is_named_wherever_it_stands(which, edit, said, tmp_path):
    sound, edited = RECORDS[which](), json.loads(json.dumps(RECORDS[which]()))
    edit(edited)
    edited = json.loads(json.dumps(edited, default=lambda model: model.model_dump(mode="json")))
    run, runs, store = sound["run"], [spec_of(sound)], Store(tmp_path / "runs")
    path, job = tmp_path / "runs" / run / "metrics.json", tmp_path / "job.jsonl"

    write(path, edited)
    write(job, sound)
    assert store.read(run) is None  # so it is made again
    (line,) = store.unsound(runs)
    assert str(path) in line and "\n" not in line
    with pytest.raises(UserError, match=said) as error:
        collect.read_jobs([job], store, runs)
    assert f"delete {job} and run again" in named(error, path, job)
    with pytest.raises(UserError, match=said) as error:
        collect.read_store(store, runs)
    assert f"delete {path} and run again" in named(error)

    write(path, sound)
    write(job, edited)
    with pytest.raises(UserError, match=said) as error:
        collect.read_jobs([job], store, runs)
    assert f"delete {job} and run again" in named(error)


def scored(best: float) -> Edit:
    """A record that agrees with itself."""
    return both(put(f"{OWN}.best.accuracy", best), put("curve.1.test_accuracy", best))


LINES: list[tuple[Edit, str]] = [  # edits of a job's line that is still sound, and what differs
    (scored(99.0), "curve, evaluations"),
    (put("curve.0.train_loss", 1.0), "curve"),
    (put("curve.0.train_accuracy", 99.9), "curve"),
    (put("parameters", 11), "parameters"),
    (put("cost.peak_memory_mb", 1.0), "cost"),
    (put("cost.group_size", 7), "cost"),
    (both(put("cost.seconds", 1.0), put("cost.images_per_second", 1000.0)), "cost"),
    (put("fingerprint.data", "d1"), "fingerprint"),
    (put("versions.torch", "9"), "versions"),
    (put("git_commit", None), "git_commit"),
    (put("spec.fidelity.on_nonfinite", "skip"), "spec"),
    (lambda record: record["evaluations"].append(transferred()["evaluations"][1]), "evaluations"),
]


@pytest.mark.parametrize(("edit", "said"), LINES, ids=[said for _, said in LINES])
def test_a_line_that_does_not_follow_from_its_record_is_named(edit, said, tmp_path):
    record, edited = trained(), trained()
    edit(edited)
    path = write(tmp_path / "runs" / record["run"] / "metrics.json", record)
    job = write(tmp_path / "job.jsonl", edited)
    with pytest.raises(UserError, match=rf"job\.jsonl:1: not what .* says \({said}\)") as error:
        collect.read_jobs([job], Store(tmp_path / "runs"), [VP])
    assert f"delete {job} and run again" in named(error, path)


def test_of_two_lines_of_a_run_neither_may_be_another_one(tmp_path):
    record, edited = trained(), trained()
    scored(99.0)(edited)
    write(tmp_path / "runs" / record["run"] / "metrics.json", record)
    for number, lines in enumerate(([edited, record], [record, edited]), start=1):
        job = tmp_path / f"{number}.jsonl"
        job.write_text("".join(json.dumps(line) + "\n" for line in lines))
        with pytest.raises(UserError, match="not what"):
            collect.read_jobs([job], Store(tmp_path / "runs"), [VP])


def test_a_record_that_is_gone_or_of_another_run_is_named(tmp_path):
    record, other = trained(), untrained()
    job, store = write(tmp_path / "job.jsonl", record), Store(tmp_path / "runs")
    with pytest.raises(UserError, match="no record of a run") as error:
        collect.read_jobs([job], store, [VP])
    assert f"delete {job} and run again" in named(error)
    path = write(tmp_path / "runs" / record["run"] / "metrics.json", other)
    with pytest.raises(UserError, match=f"it is of {other['run']}") as error:
        collect.read_jobs([job], store, [VP])
    named(error, path)
    assert store.read(VP.id) is None


@pytest.mark.parametrize("partial", [True, False])
def test_records_of_the_same_images_agree_in_how_many_there_are(partial, tmp_path, monkeypatch):
    monkeypatch.setattr(collect, "Present", lambda *_: SimpleNamespace(of=lambda id, metrics: metrics))
    planned = world.configured(world.planned(), partial=partial)
    store, jobs = Store(tmp_path / "runs"), tmp_path / "job.jsonl"
    for each in world.metrics().values():
        store.write(each)
    odd = trained()
    put(f"{OWN}.images", 50)(odd)
    store.write(Metrics.model_validate(odd))
    jobs.write_text("".join(store.line(run.id) for run in planned.runs))
    files = world.files(tmp_path, jobs=() if partial else (str(jobs),))
    with pytest.raises(UserError, match=r"50 test images of dtd .* other records have 100") as error:
        collect.gather(planned, files)
    line = named(error, tmp_path / "runs" / VP.id / "metrics.json")
    assert f"delete {tmp_path / 'runs' / VP.id} and run again" in line


# Searches, inspections and label mappings.

SEARCH = SearchSpec(dataset="dtd", backbone="clip_vit_b16", seed=1, bases=("color", "shape"), epochs=2)


def searched() -> Record:
    return {
        "spec": SEARCH.model_dump(mode="json"),
        "combinations": [list(each) for each in all_combinations(SEARCH.bases)],
        "weights": [[0.2, 0.5, 0.3], [0.1, 0.6, 0.3]],
        "train_loss": [1.0, 0.5],
        "validation_loss": [1.0, 0.5],
        "seconds": 1.0,
        "data": "d0",
        "backbone": "b0",
    }


SEARCHES: list[tuple[Edit, str]] = [
    (put("weights.1", [0.9, 0.6, 0.3]), "do not sum to 1"),
    (put("weights.1", [-0.1, 0.8, 0.3]), "greater than or equal to 0"),
    (put("weights.1", [float("nan"), 0.7, 0.3]), "finite number"),
    (put("weights.1", [0.4, 0.6]), "one weight per combination"),
    (lambda record: record["weights"].pop(), "must be of 2 epochs"),
    (lambda record: record["train_loss"].append(0.1), "must be of 2 epochs"),
    (put("train_loss.0", float("inf")), "finite number"),
    (put("validation_loss.0", None), "valid number"),
    (put("seconds", -1), "greater than 0"),
    (lambda record: record["combinations"].reverse(), "not those of its bases"),
    (put("combinations.1", ["size"]), "not those of its bases"),
    (put("spec.seed", 2), "it is of dtd/clip_vit_b16/seed2-"),
    (put("spec.dataset", "eurosat"), "it is of eurosat/"),
    (put("data", "here"), "should match pattern"),
]


def search_file(folder: Path, record: Record) -> Path:
    return write(folder / SEARCH.dataset / SEARCH.backbone / f"{SEARCH.id}.json", record)


def test_a_search_that_was_not_edited_is_read(tmp_path):
    assert read_search(search_file(tmp_path, searched())).winner == ("shape",)


@pytest.mark.parametrize(("edit", "said"), SEARCHES, ids=[said for _, said in SEARCHES])
def test_an_edited_search_is_named(edit, said, tmp_path):
    record = searched()
    edit(record)
    path = search_file(tmp_path, record)
    with pytest.raises(UserError, match=said) as error:
        read_search(path)
    assert "delete it and run again" in named(error, path)


def mapped() -> Record:
    """Two epochs, two classes, three source labels of each."""
    return {
        "epochs": np.array([1, 3]),
        "sources": np.tile(np.array([4, 0, 2], np.int32), (2, 2, 1)),
        "weights": np.tile(np.array([0.6, 0.3, 0.1], np.float16), (2, 2, 1)),
        "changes": np.array([np.nan, 0.5]),
        "program_epochs": np.array([1, 4]),
        "programs": np.zeros((2, 3, 4, 4), np.float16),
    }


def at(name: str, place: object, value: object) -> Edit:
    def edit(record: Record) -> None:
        record[name][place] = value

    return edit


MAPPINGS: list[tuple[Edit, str]] = [
    (put("epochs", np.array([3, 1])), "epochs do not ascend"),
    (put("epochs", np.array([1, 1])), "epochs do not ascend"),
    (put("epochs", np.array([0, 1])), "epochs do not ascend"),
    (put("epochs", np.array([1, 2, 3])), "not one mapping per epoch"),
    (at("weights", (0, 0, 0), 1.5), r"not in \[0, 1\]"),
    (at("weights", (0, 0, 2), -0.1), r"not in \[0, 1\]"),
    (at("weights", (0, 0, 0), np.nan), r"not in \[0, 1\]"),
    (at("weights", (0, 0, 0), 0.9), "sum to more than 1"),
    (at("weights", (0, 0, 2), 0.5), "do not descend"),
    (at("sources", (0, 0, 0), -1), "source label"),
    (at("changes", 1, np.nan), "a change is not"),
    (at("changes", 1, -1.0), "a change is not"),
    (put("program_epochs", np.array([4, 1])), "program_epochs do not ascend"),
    (at("programs", (0, 0, 0, 0), np.inf), "a program is not finite"),
    (lambda record: record.pop("weights"), "without weights"),
]


def test_mappings_that_were_not_edited_are_read(tmp_path):
    np.savez(tmp_path / "mappings.npz", **mapped())
    assert set(read_mappings(tmp_path / "mappings.npz")) == set(mapped())


@pytest.mark.parametrize(("edit", "said"), MAPPINGS, ids=[said for _, said in MAPPINGS])
def test_edited_mappings_are_named(edit, said, tmp_path):
    record, path = mapped(), tmp_path / "mappings.npz"
    edit(record)
    np.savez(path, **record)
    with pytest.raises(UserError, match=said) as error:
        read_mappings(path)
    named(error, path)


def inspected() -> Record:
    """Four images of two classes, two of them shown, with three sentences of one kind."""
    loss = np.array([0.1, 0.2, 0.7, 1.0], np.float32)
    of_state = {
        "images": np.eye(4, dtype=np.float32),
        "predicted": np.array([0, 0, 1, 0]),
        "loss": loss,
        "confidence": np.exp(-loss),
        "pictures": np.zeros((2, 3, 4, 4), np.uint8),
        "descriptive.nearest": np.array([0, 1, 2, 0]),
        "descriptive.cosine": np.array([0.1, 0.2, 0.3, 1.0], np.float32),
    }
    tensors = {f"{state}.{name}": value.copy() for state in ("before", "after") for name, value in of_state.items()}
    return tensors | {"labels": np.array([0, 0, 1, 1]), "shown": np.array([0, 3])}


INSPECTIONS: list[tuple[Edit, str]] = [
    (at("after.predicted", 0, 2), "after.predicted names classes"),
    (at("labels", 0, -1), "labels names classes"),
    (at("before.loss", 0, np.nan), "before.loss is not finite"),
    (at("after.loss", 0, 5.0), "after.confidence is not that of after.loss"),
    (at("after.confidence", 0, 1.5), "after.confidence is not that of after.loss"),
    (at("after.images", (0, 0), np.inf), "after.images is not finite"),
    (at("shown", 0, 9), "shows images that there are not"),
    (at("after.descriptive.nearest", 0, 3), "names sentences that there are not"),
    (at("after.descriptive.cosine", 0, 1.5), r"cosine is not in \[-1, 1\]"),
    (lambda record: record.pop("labels"), "without labels"),
    (lambda record: record.update(labels=record["labels"][:3]), "not one value per image"),
    (lambda record: record.update({"after.pictures": record["after.pictures"][:1]}), "not one picture"),
]


def inspection_file(folder: Path, record: Record, **described) -> Path:
    path = folder / "best" / f"{VP.id}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    given = {"run": VP.id, "selection": "best", "class_names": ["a", "b"], "source_names": []}
    given |= {"sentences": {"descriptive": ["one", "two", "three"]}} | described
    save_file(record, path, {"described": json.dumps(given)})
    return path


@pytest.mark.parametrize("record", [inspected(), {}], ids=["whole", "diverged"])
def test_an_inspection_that_was_not_edited_is_read(record, tmp_path):
    assert read_inspection(inspection_file(tmp_path, record)).run == VP.id


@pytest.mark.parametrize(("edit", "said"), INSPECTIONS, ids=[said for _, said in INSPECTIONS])
def test_an_edited_inspection_is_named(edit, said, tmp_path):
    record = inspected()
    edit(record)
    path = inspection_file(tmp_path, record)
    with pytest.raises(UserError, match=said) as error:
        read_inspection(path)
    assert "delete it and run again" in named(error, path)


@pytest.mark.parametrize("described", [{"run": "dtd/clip_vit_b16/other"}, {"selection": "last"}], ids=str)
def test_an_inspection_of_another_run_is_named(described, tmp_path):
    path = inspection_file(tmp_path, inspected(), **described)
    with pytest.raises(UserError, match="it is of") as error:
        read_inspection(path)
    named(error, path)


def test_a_damaged_inspection_is_named(tmp_path):
    path = inspection_file(tmp_path, inspected())
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match="its header cannot be read") as error:
        read_inspection(path)
    named(error, path)
