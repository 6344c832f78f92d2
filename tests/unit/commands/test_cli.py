"""The command ``papertables``, with the project of this repository and results of its own."""

import json
import os
import shutil

import pytest
from typer.testing import CliRunner

from papertables.artefacts import render, verdicts
from papertables.artefacts.tables import build
from papertables.base.errors import UserError
from papertables.base.seals import sealed_json
from papertables.commands import cli
from papertables.commands.trial import trial
from papertables.planning.cost import estimate, total
from papertables.results.verdicts import read_verdicts
from tests.unit import artefact_world as world
from tests.unit.artefacts.test_verdicts import EXAMPLE
from tests.unit.plans import REPOSITORY, plan_of

TRAIN = ("train", "vp", "--dataset", "mini_digits", "--backbone", "mini-vit")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder that is a project, to work in."""
    for part in ("Snakefile", "config.yaml"):
        shutil.copy(REPOSITORY / part, tmp_path / part)
    for part in ("workflow", "attributes"):
        shutil.copytree(REPOSITORY / part, tmp_path / part)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments: str) -> str:
    done = CliRunner().invoke(cli.app, arguments)
    if done.exception:
        raise done.exception
    return done.stdout


@pytest.mark.slow
def test_plan_shows_what_is_selected_with_subtotals(project):
    made = plan_of()
    lines = call("plan").splitlines()
    names = [line.split("  ")[0] for line in lines]
    assert [name for name in names if name in made.artefacts] == made.selected
    assert {"attrvr_table1", "blm_padding", "total"} <= set(names)
    assert "attrvr_table2" not in names
    both = call("plan", "attrvr_table1", "attrvr_table2", "blm_cost").splitlines()
    assert [line.split("  ")[0] for line in both if line and "--" not in line][1:7] == [
        "attrvr_table1",
        "attrvr_table2",
        "attrvr, in all",
        "blm_cost",
        "headlines",
        "total",
    ]


@pytest.mark.slow
def test_plan_as_json_adds_up(project):
    record = json.loads(call("plan", "--scale", "paper", "--config", "artefacts=all", "--json"))
    made = plan_of(scale="paper", artefacts="all")
    assert [row["artefact"] for row in record["artefacts"]] == list(made.artefacts)
    for name in ("jobs", "runs", "shared", "images", "seconds", "download", "disk"):
        assert record["total"][name] == pytest.approx(sum(row[name] for row in record["artefacts"]))
        assert record["total"][name] == pytest.approx(sum(paper[name] for paper in record["papers"].values()))
    headlines = [id for id, planned in made.artefacts.items() if planned.artefact.headline]
    assert record["headlines"]["runs"] == total(estimate(made, headlines).values()).runs
    assert record["total"]["runs"] == sum(len(job.runs) for job in made.jobs.values())


@pytest.mark.slow
def test_an_artefact_alone_costs_all_that_it_needs(project):
    made = plan_of()
    (alone,) = estimate(made, ["attrvr_table2"]).values()
    assert alone.runs == sum(len(job.runs) for job in made.jobs_for("attrvr_table2"))
    shared = estimate(made, ["attrvr_table1", "attrvr_table2"])["attrvr_table2"]
    assert shared.shared > 0
    assert shared.runs < alone.runs


@pytest.mark.slow
def test_list_names_every_target(project):
    made = plan_of()
    first = [line.split()[0] for line in call("list").splitlines() if line.strip()]
    assert set(made.artefacts) | set(made.project.papers) | {"configured", "plan", "pretrain_mini"} < set(first)
    rows = json.loads(call("list", "--json"))
    assert [row["target"] for row in rows] == list(made.artefacts)
    assert all(row["title"] == made.artefacts[row["target"]].artefact.title for row in rows)


@pytest.mark.slow
def test_show_prints_a_table_that_was_made(project, monkeypatch):
    table = build(world.planned(), world.metrics(), world.published(project), {})
    render.write(table, project / "results" / "paper" / "tables" / "attrvr" / "table1")
    printed = call("show", "attrvr_table1", "--scale", "paper")
    assert "Main results" in printed
    assert "61.0 ± 1.4" in printed and "61.4 (−0.4)" in printed
    assert [line.split()[0] for line in printed.splitlines() if line.startswith(("Zero-shot", "VP"))] == [
        "Zero-shot",
        "VP",
    ]
    assert render.Table.model_validate_json(call("show", "attrvr_table1", "--scale", "paper", "--json")) == table
    monkeypatch.setattr(cli.out, "_width", 30)  # narrower than the table: data sets become rows
    turned = call("show", "attrvr_table1", "--scale", "paper")
    assert any(line.startswith("EuroSAT") for line in turned.splitlines())


@pytest.mark.slow
def test_show_and_claims_say_where_something_was_made_with_another_selection(project):
    results, again = project / "results" / "mini", "--scale mini --config selection=last"
    table = build(world.planned(comparable=False), world.metrics(), world.published(project), {})
    render.write(table, results / "tables" / "attrvr" / "table1")
    found = read_verdicts(EXAMPLE).model_copy(update={"made": {"selection": "best"}})
    verdicts.write(found, results / "verdicts" / "attrvr")
    for command, target in ((["show", "attrvr_table1"], "attrvr_table1"), (["claims"], "verdicts")):
        asked_for = CliRunner().invoke(cli.app, [*command, "--config", "selection=last"])
        assert asked_for.stderr == f"{target}: made with selection=best, not last: papertables make {target} {again}\n"
        assert asked_for.stdout == CliRunner().invoke(cli.app, command).stdout
        assert CliRunner().invoke(cli.app, command).stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("show", "attrvr_table1"), "attrvr_table1 is not made yet: papertables make attrvr_table1 --scale mini"),
        (("show", "attrvr_tabel1"), "unknown artefact 'attrvr_tabel1' (did you mean 'attrvr_table1'?)"),
        (
            ("show", "attrvr_backbone_rn101"),
            "scale mini has nothing for backbone 'clip_rn101': add --config scale=paper",
        ),
        (("claims", "common"), "make verdicts --scale mini --config 'artefacts=[common]'"),
        (("claims", "attrvr"), "of attrvr no verdicts are made yet: papertables make verdicts --scale mini"),
        (("claims",), "no verdicts are made yet: papertables make verdicts --scale mini"),
        (("plan", "attrvr_tabel1"), "unknown target 'attrvr_tabel1' (did you mean 'attrvr_table1'?)"),
        (("plan", "--scale", "Paper"), "unknown scale 'Paper' (did you mean 'paper'?)"),
        (("plan", "--config", "selection"), "--config selection: write KEY=VALUE"),
        ((*TRAIN, "--set", "epochs"), "--set epochs: write KEY=VALUE, such as --set training.epochs=5"),
        ((*TRAIN, "--set", "epochs=[5"), "--set epochs=[5: what follows the = is no value that YAML knows"),
        ((*TRAIN, "--seeds", ""), "--seeds '': write whole numbers, such as --seeds 1,2"),
        ((*TRAIN, "--seeds", "1,x"), "--seeds '1,x': write whole numbers, such as --seeds 1,2"),
        (("make", "attrvr_table1", "--cores", "0"), "--cores 0: write a whole number, at least 1, or all"),
        (("plan", "--config", "seeds=[1"), "--config seeds=[1: what follows the = is no value that YAML knows"),
        (("plan", "--config", "data_root=/dev/null/x"), "/dev/null is a file: name a folder"),
    ],
)
def test_slips(project, arguments, says):
    with pytest.raises(UserError) as error:
        call(*arguments)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "[mini]", "mini"])
def test_a_configuration_without_keys(project, text):
    (project / "config.yaml").write_text(text)
    with pytest.raises(UserError, match=r"config\.yaml: must hold keys and values$"):
        call("plan")


def test_a_slip_is_one_line_and_ends_with_1(project, monkeypatch):
    monkeypatch.setattr("sys.argv", ["papertables", "plan", "--scale", "Paper"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert str(end.value).startswith("error: config: unknown scale 'Paper'")


def test_make_puts_snakemakes_arguments_in_order(project, monkeypatch):
    called = []
    monkeypatch.setattr(os, "execv", lambda program, command: called.append(command))
    call("make", "attrvr_table1", "blm", "--scale", "paper", "--config", "seeds=[1]", "--cores", "4", "--dry-run")
    ours = ["attrvr_table1", "blm", "--snakefile", str(project / "Snakefile"), "--cores", "4", "--dry-run"]
    assert called[0][1:3] == ["-m", "snakemake"]
    assert called[0][3:] == [*ours, "--config", "scale=paper", "seeds=[1]"]
    call("make", "blm", "--workflow-profile", "profiles/mine")
    assert called[1][3:] == ["blm", *ours[2:4], "--cores", "all", "--workflow-profile", "profiles/mine"]


@pytest.mark.slow
def test_works_from_a_folder_inside_the_project(project, monkeypatch):
    monkeypatch.chdir(project / "workflow" / "papers")
    assert "attrvr_table1" in call("plan")
    assert os.getcwd() == str(project)


@pytest.mark.slow
def test_works_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "attrvr_table1" in call("plan")
    assert os.getcwd() == str(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_language_model_on_the_command_line():
    assert cli.asking(None, None, ["selection=last"]) == []
    told = cli.asking("tiny", "http://localhost:1/v1", None)
    assert told[:3] == ["sentences=own", "bases=own", "anchors=searched"]
    assert json.loads(told[3].removeprefix("llm=")) == {"model": "tiny", "base_url": "http://localhost:1/v1"}
    own = cli.asking("tiny", None, ["bases=published", "llm={concurrency: 2}"])
    assert own == ["sentences=own", "anchors=searched", 'llm={"model": "tiny", "concurrency": 2}']


@pytest.mark.slow
def test_plan_tells_requests_and_tokens(project):
    told = call("plan", "attrvr_table1", "--model", "tiny", "--base-url", "http://localhost:1/v1")
    assert (
        "Asked of own: a chat model behind an OpenAI-compatible address (tiny) for mini_digits (des, dist): 20 requests"
        in told
    )
    priced = "llm={price: {input: 1, output: 2}}"
    assert "at most" in call("plan", "attrvr_table1", "--model", "tiny", "--config", priced)
    assert "Asked" not in call("plan", "attrvr_table1")


@pytest.mark.slow
def test_verify_names_what_is_damaged_and_what_would_run_again(project):
    folder = project / "results" / "mini" / "data" / "mini_digits"
    folder.mkdir(parents=True)
    manifest = folder / "manifest.json"
    manifest.write_bytes(sealed_json('{"digest": "0"}'))
    whole = json.loads(call("verify", "--scale", "mini", "--json"))
    assert whole["files"] > 1 and whole["damaged"] == []
    manifest.write_bytes(manifest.read_bytes().replace(b'"0"', b'"1"'))
    done = CliRunner().invoke(cli.app, ["verify", "--scale", "mini"])
    assert done.exit_code == 1
    line, summary = done.output.splitlines()
    assert line.startswith("results/mini/data/mini_digits/manifest.json: damaged (it is altered")
    assert line.endswith("delete it and run again; then runs: prepare, and what reads that data set")
    assert summary == f"{whole['files']} files: {whole['files'] - 1} whole, 1 damaged or gone"


@pytest.mark.slow
def test_a_trial_is_a_table_by_a_papers_protocol():
    project = plan_of().project
    declared = trial(project, "coop", ["mini_digits", "mini_moths"], "mini-vit", None, {"training.epochs": 5})
    made = plan_of(trial=declared)
    planned = made.artefacts["atprompt_coop_on_mini_digits_mini_moths_with_mini_vit_training_epochs_5"]
    assert {run.training.epochs for run in planned.runs} == {5}
    assert {run.dataset for run in planned.runs} == {"mini_digits", "mini_moths"}
    assert planned.artefact.fixed["backbone"] == "clip_vit_b16"  # mini-vit stands in for it
    others = plan_of().jobs
    assert {id: job for id, job in made.jobs.items() if id in others} == others  # it moves no run of theirs


@pytest.mark.slow
def test_a_trial_tells_before_it_runs_what_it_makes(project, monkeypatch):
    monkeypatch.setattr(cli.subprocess, "run", lambda *_: pytest.fail("it ran"))
    (told, header, *_), (others, *_) = (
        call("train", "coop", "--dataset", "mini_moths", "--backbone", "mini-vit", "--dry-run", *more).splitlines()
        for more in ((), ("--set", "training.epochs=7"))
    )
    job = plan_of().jobs["atprompt_table1.mini_moths.mini-vit.0"]
    assert told == f"3 runs at scale mini; their jobs make {len(job.runs) - 3} others too, which declared tables show"
    assert others == "3 runs at scale mini" and header.startswith("artefact")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "paper", "says"),
    [
        ("cop", None, "unknown method 'cop' (did you mean 'coop'?)"),
        ("argue", None, "unknown method"),  # printed numbers alone
        ("coop", "smm", "unknown method 'coop'"),
        ("coop", "attrv", "unknown paper 'attrv' (did you mean 'attrvr'?)"),
    ],
)
def test_a_trial_of_what_is_not_there(method, paper, says):
    with pytest.raises(UserError) as error:
        trial(plan_of().project, method, ["mini_digits"], "mini-vit", paper, {})
    assert str(error.value).startswith(says)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"id": "attrvr_table1"}, "must begin with 'attrvr_' and be no artefact's"),
        ({"id": "mine"}, "must begin with 'attrvr_'"),
        ({"paper": "attrv"}, "unknown paper 'attrv'"),
        ({"title": ""}, "title"),
        ({"fixed": {"backbone": "mini-vitt"}}, "config: trial: "),
    ],
)
def test_a_trial_that_is_declared_wrongly(changes, says):
    declared = trial(plan_of().project, "vp", ["mini_digits"], "mini-vit", None, {}) | changes
    with pytest.raises(UserError) as error:
        plan_of(trial=declared).require(declared["id"])
    assert says in str(error.value)
