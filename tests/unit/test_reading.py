"""A results folder in Python, and what is told where it cannot give what is asked for."""

from pathlib import Path

import pytest

import papertables
from papertables.artefacts import render
from papertables.artefacts.tables import build
from papertables.base.errors import UserError
from papertables.results.store import Store
from papertables.training.predict import image_files
from tests.unit import artefact_world as world


@pytest.mark.parametrize(
    ("images", "says"),
    [
        ("photo.png", r"'photo.png' is one path: write a list, \['photo.png'\]"),
        (Path("photo.png"), "'photo.png' is one path"),
        ([], r"no image is named: write a list of paths, such as \['photo.png'\]"),
        ([3], r"images are named by paths, not by int: write \['photo.png'\]"),
        (["nowhere.png"], "nowhere.png: there is no such file: name one that holds an image"),
    ],
)
def test_what_is_no_list_of_image_files_is_one_line(images, says):
    with pytest.raises(UserError, match=says):
        image_files(images)


@pytest.fixture
def results(tmp_path):
    """With a table, and a trained and an untrained run."""
    folder, published = tmp_path / "results" / "mini", tmp_path / "published"
    published.mkdir()
    table = build(world.planned(), world.metrics(), world.published(published), {})
    render.write(table, folder / "tables" / "attrvr" / "table1")
    for each in (world.run("vp", "dtd", 1), world.run("zero_shot", "dtd", None)):
        Store(folder / "runs").write(world.metrics_of(each, 60.0, 60.0))
    return papertables.open(str(folder))


def test_frames(results):
    assert results.artefacts[["id", "kind", "venue"]].to_numpy().tolist() == [["attrvr_table1", "table", "ICLR 2025"]]
    cells = results.artefact("attrvr_table1")
    assert {"row", "column", "mean", "std", "published", "seeds", "runs"} <= set(cells)
    runs = results.runs.set_index("method")
    assert (runs.loc["vp", "seed"], runs.loc["vp", "options.pad"], runs.loc["vp", "outcome"]) == (1, 30, "finished")
    assert results.evaluations["best_accuracy"].tolist() == [60.0, 60.0]


def test_a_run(results):
    run = results.run(world.run("vp", "dtd", 1).id)
    assert run.settings["options"] == {"pad": 30} and run.settings["backbone"] == "clip_vit_b16"
    assert run.curve["epoch"].tolist() == list(range(1, len(run.record.curve) + 1))
    assert run.curve["test_accuracy"].max() == 60


def test_what_is_not_there_is_one_line(results, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="holds no runs: name a results folder, such as results/mini"):
        papertables.open(str(tmp_path))
    with pytest.raises(UserError, match=r"not made here, made are attrvr_table1 \(did you mean 'attrvr_table1'"):
        results.artefact("attrvr_tabel1")
    with pytest.raises(UserError, match=r"take another, or papertables make attrvr_cost --scale mini$"):
        results.artefact("attrvr_cost")
    with pytest.raises(UserError, match="no record of a run"):
        results.run("dtd/clip_vit_b16/vp-0")
    with pytest.raises(UserError, match="nothing was trained"):
        results.run(world.run("zero_shot", "dtd", None).id).predictor()
    trained = results.run(world.run("vp", "dtd", 1).id)
    with pytest.raises(UserError, match=r"unknown epoch 'bst' \(did you mean 'best'\?\): choose from best, last"):
        trained.predictor("bst")
    with pytest.raises(UserError, match="lies in no project"):
        trained.predictor()
    (tmp_path / "config.yaml").touch()
    with pytest.raises(UserError, match=f"work in {tmp_path}"):
        trained.predictor()
