"""What differs between runs and between results folders, as the command says it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from papertables.artefacts import render
from papertables.artefacts.tables import build
from papertables.base.errors import UserError
from papertables.commands import cli, differences
from papertables.results.store import Store
from tests.unit import artefact_world as world
from tests.unit.plans import plan_of


def call(*arguments: str) -> tuple[str, int]:
    done = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.stdout, done.exit_code


def results(folder: Path, metrics) -> Path:
    """A results folder with one table."""
    (folder / "published").mkdir(parents=True)
    table = build(world.planned(), metrics, world.published(folder / "published"), {})
    render.write(table, folder / "tables" / "attrvr" / "table1")
    return folder


def test_two_seeds_differ_in_the_seed_and_in_scores():
    runs = [world.metrics_of(world.run("vp", "dtd", seed), 60.0, 50.0 + seed) for seed in (1, 2)]
    found = differences.of_runs(*runs)
    assert ("spec.seed", 1, 2) in found
    settings = [pair.what for pair in found if not pair.what.startswith("accuracy")]
    assert settings == ["spec.seed"]
    scores = {pair.what.rpartition(", ")[2]: pair[1:] for pair in found if pair.what.startswith("accuracy on dtd")}
    assert scores["last epoch"] != scores["best epoch"]
    assert scores["last epoch"][0] < scores["last epoch"][1]


def test_what_one_run_alone_has_is_none_of_the_other():
    runs = [world.metrics_of(world.run("vp", "dtd", seed), 60.0, 60.0) for seed in (1, None)]
    pads = [pair for pair in differences.of_runs(*runs) if pair.what == "spec.options.pad"]
    assert pads == [("spec.options.pad", 30, None)]


@pytest.mark.slow
def test_the_command_takes_parts_of_ids(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = plan_of()
    monkeypatch.setattr(cli, "_plan", lambda *_: plan)
    one, other = [run for id in plan.job_of if (run := plan.run(id)).method == "zero_shot"][:2]
    Store(Path(plan.paths.runs)).write(world.metrics_of(one, 60.0, 60.0))
    with pytest.raises(UserError, match=f"{other.id} is not made yet: papertables make results/mini/jobs/"):
        call("diff", one.id, other.id)
    Store(Path(plan.paths.runs)).write(world.metrics_of(other, 60.0, 60.0))
    printed, _ = call("diff", one.id[-12:], other.id)
    assert one.id in printed and "spec.dataset" in printed
    said = json.loads(call("diff", one.id, other.id, "--json")[0])
    assert {"what": "spec.dataset", "one": one.dataset, "other": other.dataset} in said


def test_every_number_that_changed_is_told_with_its_place(tmp_path):
    old = results(tmp_path / "old", world.metrics())
    new = results(tmp_path / "new", world.metrics())
    assert call("compare", old, new) == call("compare", old, old)
    assert call("compare", old, new)[1] == 0
    file = new / "tables" / "attrvr" / "table1.csv"
    lines = file.read_text().splitlines()
    cells = lines[1].split(",")
    was, cells[2] = float(cells[2]), "12.5"
    file.write_text("\n".join([lines[0], ",".join(cells), *lines[2:]]) + "\n")
    printed, code = call("compare", old, new)
    assert code == 1
    assert f": mean: {was:.6g} was, 12.5 is" in printed and "  line 2 (" in printed
    assert "1 others" in printed


def test_an_artefact_of_one_folder_alone_and_other_rows_are_told(tmp_path):
    old, new = results(tmp_path / "old", world.metrics()), results(tmp_path / "new", world.metrics())
    file = new / "tables" / "attrvr" / "table1.csv"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    figure = old / "figures" / "smm" / "figure4.csv"
    figure.parent.mkdir(parents=True)
    figure.write_text("method,epoch,loss\nSMM,1,0.5\n")
    printed, code = call("compare", old, new)
    assert code == 1
    assert "tables/attrvr/table1.csv: its rows or columns are others now: nothing in place of line " in printed
    assert f"figures/smm/figure4.csv: it is not in {new}" in printed


def test_a_folder_without_results_is_one_line(tmp_path):
    with pytest.raises(UserError, match="holds no tables or figures: name a results folder, such as results/mini"):
        call("compare", tmp_path, tmp_path)


def test_names_are_completed():
    assert cli._completed("attrvr_table1") == ["attrvr_table1"]
    assert "blm" in cli._completed("b") and "blm_claims" not in cli._completed("blm_c")
