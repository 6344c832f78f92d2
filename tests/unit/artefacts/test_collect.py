"""Job files, the store and runs.csv."""

import pandas as pd
import pytest

from papertables.artefacts import collect
from papertables.base.errors import UserError
from papertables.results.metrics import Epoch
from papertables.results.store import Store
from papertables.specs.spec import Fidelity
from tests.unit import artefact_world as world


def stored(folder, metrics):
    """A store that holds these."""
    store = Store(folder / "runs")
    for each in metrics:
        store.write(each)
    return store


def write_job(path, metrics):
    path.write_text("".join(each.model_dump_json() + "\n" for each in metrics))
    return path


def test_job_files_give_metrics_by_run(tmp_path):
    expected = world.metrics()
    first, *others = expected.values()
    paths = [write_job(tmp_path / "a.jsonl", [first]), write_job(tmp_path / "b.jsonl", others)]
    store, runs = stored(tmp_path, expected.values()), list(world.planned().runs)
    assert collect.read_jobs(paths, store, runs) == expected
    assert list(collect.read_jobs(paths, store, runs[:1])) == [runs[0].id]


def test_a_run_that_was_scored_on_more_since_is_as_the_store_has_it(tmp_path):
    one = world.metrics()[world.run("vp", "dtd", 1).id]
    more = {"dataset": "eurosat", "data": "e0", "images": 50}
    later = one.model_copy(update={"evaluations": [*one.evaluations, one.evaluations[0].model_copy(update=more)]})
    path, store = write_job(tmp_path / "a.jsonl", [one]), stored(tmp_path, [later])
    assert collect.read_jobs([path], store, [one.spec]) == {one.run: later}


def test_a_corrupt_line_names_file_and_line(tmp_path):
    path = write_job(tmp_path / "a.jsonl", world.metrics().values())
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1][:40]]))
    with pytest.raises(UserError, match=r"a\.jsonl:2: no valid record") as error:
        collect.read_jobs([path], Store(tmp_path), [])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("kept", "said"), [(0, "it is empty"), (1, "no job file has it")])
def test_a_job_file_without_its_last_lines_is_named(tmp_path, kept, said):
    expected = world.metrics()
    stored(tmp_path, expected.values())
    jobs = {data: [each for each in expected.values() if each.spec.dataset == data] for data in ("dtd", "eurosat")}
    whole, cut = (write_job(tmp_path / f"{data}.jsonl", found) for data, found in jobs.items())
    files = world.files(tmp_path, jobs=(str(whole), str(cut)))
    assert collect.gather(world.planned(), files) == expected
    cut.write_text("".join(cut.read_text().splitlines(keepends=True)[:kept]))
    with pytest.raises(UserError, match=said) as error:
        collect.gather(world.planned(), files)
    assert str(cut) in str(error.value) and str(whole) not in str(error.value)


def test_a_record_with_a_wrong_value_names_the_key(tmp_path):
    path = write_job(tmp_path / "a.jsonl", list(world.metrics().values())[:1])
    path.write_text(path.read_text().replace('"accuracy":40.0', '"accuracy":140.0'))
    with pytest.raises(UserError, match=r"a\.jsonl:1: .*evaluations\.0\.best\.accuracy"):
        collect.read_jobs([path], Store(tmp_path), [])


def test_store_gives_the_runs_that_are_there(tmp_path):
    runs = list(world.planned().runs)
    there = world.metrics()[runs[0].id]
    (tmp_path / there.run).mkdir(parents=True)
    (tmp_path / there.run / "metrics.json").write_text(there.model_dump_json())
    assert collect.read_store(Store(tmp_path), runs) == {there.run: there}


def test_runs_csv_has_one_tidy_row_per_evaluation(tmp_path):
    spec = world.run("vp", "dtd", 2)
    found = world.metrics() | {spec.id: world.metrics_of(spec)}
    collect.write_runs_csv(found, tmp_path / "runs.csv")
    frame = pd.read_csv(tmp_path / "runs.csv").set_index("run")
    assert len(frame) == 6
    assert list(frame.index) == sorted(found)
    row = frame.loc[world.run("vp", "eurosat", 1).id]
    assert (row.method, row.options, row.seed, row.shots) == ("vp", "pad=30", 1, 16)
    assert (row.best_epoch, row.best_accuracy, row.last_epoch, row.last_accuracy) == (2, 90.0, 4, 89.0)
    assert (row.few_shot_draw, row.versions) == ("shared", "open_clip=3.3.0 torch=2.12.0")
    bad = frame.loc[spec.id]
    assert (bad.outcome, bad.diverged_epoch, bad.diverged_step) == ("diverged", 1, 17)
    assert pd.isna(bad.best_accuracy)
    assert set(frame.nonfinite_steps) == {0}
    assert pd.isna(frame.loc[world.run("zero_shot", "dtd", None).id].seed)


def test_runs_csv_says_which_steps_were_left_out_and_under_which_rule():
    spec = world.run("vp", "dtd", 1)
    ruled = spec.model_copy(update={"fidelity": Fidelity(on_nonfinite="skip")})
    curve = [Epoch(epoch=i, lr=1, train_loss=None, nonfinite_steps=i, train_accuracy=50) for i in (1, 2)]
    one = world.metrics()[spec.id].model_copy(update={"spec": ruled, "curve": curve})
    (row,) = collect.runs_csv({one.run: one}).to_dict("records")
    assert (row["on_nonfinite"], row["outcome"], row["nonfinite_steps"]) == ("skip", "finished", 3)


def test_runs_csv_writes_whole_numbers_whole(tmp_path):
    collect.write_runs_csv(world.metrics(), tmp_path / "runs.csv")
    text = pd.read_csv(tmp_path / "runs.csv", dtype=str)
    assert set(text["seed"].dropna()) == {"1", "2"}
    assert set(text["images"]) == {"100"}


def test_a_run_scored_on_several_sets_has_a_row_for_each():
    one = world.metrics()[world.run("vp", "dtd", 1).id]
    other = one.evaluations[0].model_copy(update={"dataset": "eurosat"})
    several = one.model_copy(update={"evaluations": [*one.evaluations, other]})
    frame = collect.runs_csv({one.run: several})
    assert list(frame["dataset"]) == ["dtd", "eurosat"]
    assert set(frame["trained_on"]) == {"dtd"}


def test_no_runs_still_give_the_header():
    assert list(collect.runs_csv({}).columns)[:2] == ["run", "method"]
