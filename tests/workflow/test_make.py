"""Every artefact renders, at a reduced size; what a user sees after one run, and what a second run, a change or an
addition sets off."""

import csv
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

import papertables
from papertables.base.errors import UserError
from papertables.data import cache
from papertables.planning.plan import FORMATS, make_plan
from tests.unit.artefacts.test_index import check_links
from tests.workflow.conftest import REPOSITORY, Project, copy_project

CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
ARTEFACTS = make_plan(REPOSITORY, CONFIG).artefacts


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A project with every artefact, made once; the tests of all of them come before those of the headlines."""
    project = copy_project(tmp_path_factory.mktemp("world") / "project")
    project.run(config=("artefacts=all",))
    return project


@pytest.fixture(scope="module")
def made(world):
    """The shared project with its headline artefacts as configured; tests change what they then restore."""
    world.run()
    return world


@pytest.fixture
def as_configured(made):
    """The project as first made, whatever the test before configured."""
    made.run()
    return made


def selected_jobs(project) -> list[str]:
    """The lines of the jobs behind what is configured."""
    plan = make_plan(project.root, CONFIG | {"scale": "tiny"})
    jobs = dict.fromkeys(plan.paths.job(job.id) for id in plan.selected for job in plan.jobs_for(id))
    return [line for job in jobs for line in (project.root / job).read_text().splitlines()]


def changed(before, after):
    return {run for run, time in after.items() if before.get(run) != time}


@pytest.mark.parametrize("id", ARTEFACTS)
def test_artefact_is_whole(world, id):
    artefact = ARTEFACTS[id].artefact
    stem = world.results / f"{artefact.kind}s" / artefact.paper / id.removeprefix(f"{artefact.paper}_")
    for suffix in FORMATS[artefact.kind]:
        assert stem.with_name(f"{stem.name}.{suffix}").stat().st_size > 0
    assert not pd.read_csv(stem.with_name(f"{stem.name}.csv")).empty
    described = json.loads(stem.with_name(f"{stem.name}.json").read_text())
    assert described["title"] == artefact.title
    assert described["notes"]
    if artefact.kind == "figure":
        with Image.open(stem.with_name(f"{stem.name}.png")) as image:
            assert image.width >= 3.3 * 300  # pixels of a column


def test_pages_show_every_artefact(world):
    pages = {path.stem: path.read_text() for path in (world.results / "pages").glob("*.html")}
    for planned in ARTEFACTS.values():
        assert f'id="{planned.artefact.id}"' in pages[planned.paper.id]
    check_links(world.results)


def test_an_artefact_that_the_scale_cannot_make_is_said_so(world):
    printed = world.run(config=("artefacts=[attrvr_backbone_rn101]",), check=False)
    assert "has nothing for backbone 'clip_rn101': add --config scale=paper" in printed


def test_the_example_in_python_runs_as_it_stands(world, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs" / "results.md").read_text("utf-8"), re.DOTALL)
    monkeypatch.chdir(world.root)
    Image.new("RGB", (60, 50), "red").save("photo.png")
    known = {}
    exec(code.replace("results/mini", "results/tiny"), known)
    results = known["results"]
    assert set(results.artefacts["id"]) >= {"attrvr_table1", "blm_padding", "smm_figure4"}
    assert set(results.runs["run"]) == set(world.metrics_times()) == set(results.evaluations["run"])
    assert known["run"].settings["method"] == "attrvr" and len(known["run"].curve) == 2
    (said,) = known["predict"](["photo.png"]).itertuples()
    assert (said.image, 0 < said.probability <= 1) == ("photo.png", True)
    with pytest.raises(UserError, match=r"config.yaml: cannot be read as an image .*: name a file that holds an image"):
        known["predict"](["config.yaml"])


def test_learners_predict_what_they_were_scored_by(world, monkeypatch):
    """One of each method, on files of the images that it was tested on."""
    monkeypatch.chdir(world.root)
    results = papertables.open("results/tiny")
    runs = results.runs.query("outcome == 'finished' and `training.epochs` > 0").drop_duplicates("method")["run"]
    assert len(runs) > 10
    for run in map(results.run, runs):
        spec, scored = run.record.spec, run.record.evaluations[0]
        _, fit, size = spec.test_cache
        images = cache.read(world.results / "cache" / spec.dataset / f"test-{fit}-{size}.safetensors")
        predict = run.predictor("last")
        rows = np.flatnonzero(images.labels < len(predict.names))
        assert len(rows) == scored.images
        for row, pixels in enumerate(images.batch(rows)):
            Image.fromarray(pixels.transpose(1, 2, 0)).save(f"{row}.png")
        found = predict([f"{row}.png" for row in range(len(rows))])["class"]
        right = [predict.names.index(name) == label for name, label in zip(found, images.labels[rows], strict=True)]
        assert 100 * np.mean(right) == pytest.approx(scored.last.accuracy), spec.id


def test_makes_tables_runs_and_index(made):
    stem = made.results / "tables" / "attrvr"
    for suffix in ("md", "csv", "tex", "html"):
        assert (stem / f"table1.{suffix}").stat().st_size > 0
    assert "AttrVR" in (stem / "table1.md").read_text()
    assert "table1" in (made.results / "index.html").read_text()
    with (made.results / "runs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(len(json.loads(line)["evaluations"]) for line in selected_jobs(made))
    owned = (made.results / "jobs").glob("attrvr_table1.*.jsonl")
    assert sum(len(job.read_text().splitlines()) for job in owned) == 1 + 4 * 2  # zero-shot has no seed, four have two


def test_job_file_holds_the_metrics_verbatim(made):
    for job in (made.results / "jobs").glob("*.jsonl"):
        for line in job.read_text().splitlines():
            stored = made.results / "runs" / json.loads(line)["run"] / "metrics.json"
            assert json.loads(stored.read_text()) == json.loads(line)


def test_second_run_does_nothing(as_configured):
    before = as_configured.metrics_times()
    assert "Nothing to be done" in as_configured.run()
    assert as_configured.metrics_times() == before


def test_a_moved_project_sets_nothing_off(as_configured, tmp_path):
    moved = shutil.copytree(as_configured.root, tmp_path / "moved", symlinks=True)
    assert "Nothing to be done" in Project(moved).run()


def test_results_in_a_fresh_clone_set_nothing_off(as_configured, tmp_path):
    clone = copy_project(tmp_path / "clone")
    shutil.copytree(as_configured.results, clone.results, symlinks=True)
    assert "Nothing to be done" in clone.run()


def test_comment_and_touch_set_nothing_off(made):
    source = made.root / "src" / "papertables" / "methods" / "vp.py"
    text = source.read_text()
    source.write_text("# a remark\n" + text)
    (made.root / "src" / "papertables" / "training" / "loop.py").touch()
    try:
        assert "Nothing to be done" in made.run()
    finally:
        source.write_text(text)


def test_changed_method_trains_its_runs_and_no_others(made):
    source = made.root / "src" / "papertables" / "methods" / "vp.py"
    text = source.read_text()
    before = made.metrics_times()
    source.write_text(text + "\n\nCHANGED = True\n")
    try:
        made.run()
    finally:
        source.write_text(text)
    again = changed(before, made.metrics_times())
    assert again
    assert all("/vp-" in run for run in again)
    assert len(again) == 2
    made.run()  # back to the method as it was


def test_retrain_names_the_runs(made):
    before = made.metrics_times()
    made.run(config=("retrain=mini_digits/*/ar-*seed2*",))
    again = changed(before, made.metrics_times())
    assert len(again) == 1
    assert "/ar-" in next(iter(again))
    after = made.metrics_times()
    made.run()  # looks at the job once more
    assert made.metrics_times() == after
    assert "Nothing to be done" in made.run()


def test_third_seed_trains_alone(made):
    before = made.metrics_times()
    made.run("attrvr_table1", config=("seeds=[1,2,3]",))
    again = changed(before, made.metrics_times())
    assert again
    assert all("seed3" in run for run in again)
    assert not set(before) - set(made.metrics_times())


def test_what_nothing_needs_is_listed_and_goes_when_it_is_asked_for(made):
    tiny = made.root / "workflow" / "scales"
    for other in (path for path in tiny.glob("*.yaml") if path.stem != "tiny"):
        other.unlink()  # only what was made here is looked through
    listed = made.papertables("prune", "--config", "scale=tiny")
    third = [line for line in listed.splitlines() if "seed3" in line]
    assert third and len(third) + 1 == len(listed.splitlines())
    assert listed.splitlines()[-1].endswith("papertables prune --yes removes them")
    made.papertables("prune", "--config", "scale=tiny", "--yes")
    assert not [run for run in made.metrics_times() if "seed3" in run]
    made.run()
    assert "nothing to remove" in made.papertables("prune", "--config", "scale=tiny")


def test_status_counts_what_was_made(as_configured):
    found = json.loads(as_configured.papertables("status", "--scale", "tiny", "--json"))
    assert all(counts["made"] for counts in found["artefacts"].values())
    counts = found["artefacts"]["attrvr_table1"]
    runs = len(make_plan(as_configured.root, CONFIG | {"scale": "tiny"}).artefacts["attrvr_table1"].runs)
    assert counts["done"] + counts["diverged"] == runs
    assert not found["failures"] and found["seconds"] is None and found["bytes"]["runs"] > 0


def test_why_a_run_would_be_made_again(as_configured):
    run = next(run for run in as_configured.metrics_times() if "/vp-" in run)
    assert "is as it would be made now" in as_configured.papertables("why", run, "--scale", "tiny")
    source = as_configured.root / "src" / "papertables" / "methods" / "vp.py"
    text = source.read_text()
    source.write_text(text + "\n\nCHANGED = True\n")
    try:
        told = as_configured.papertables("why", run, "--scale", "tiny")
    finally:
        source.write_text(text)
    assert "would be made again" in told and "the code of its method changed (method): " in told
    assert len(told.splitlines()) == 2


def test_report(made):
    made.run("--report", "report.html")
    page = (made.root / "report.html").read_text()
    assert "table1" in page


def test_repeated_from_nothing_gives_the_same_numbers(as_configured, project):
    project.run("attrvr_table1")
    for name in ("table1.csv", "table1.md"):
        again = project.results / "tables" / "attrvr" / name
        assert again.read_bytes() == (as_configured.results / "tables" / "attrvr" / name).read_bytes()
