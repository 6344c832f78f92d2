"""Sentences and bases from a language model on this machine: asked for once, searched, trained, shown, adopted."""

import json
import os
import shutil
import subprocess

import pytest

from tests.language_model import MODEL, serving
from tests.workflow.conftest import copy_project
from tests.workflow.test_errors import line

KEY = "sk-a-secret-of-mine-0123456789"
TABLES = ("attrvr_table1", "atprompt_table1")
REPORT = "attrvr_attribute_report"
ATTRIBUTES = "results/attributes/own"


def asking(server, **keys) -> tuple[str, ...]:
    """The configuration that has everything generated."""
    llm = json.dumps({"model": MODEL, "base_url": server.url, "retries": 1, **keys})
    return ("sentences=own", "bases=own", "anchors=searched", f"llm={llm}", "seeds=[1]")


def assert_nowhere(root):
    """The key is in no file, not in Snakemake's own either."""
    for file in root.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes(), file


@pytest.fixture(scope="module")
def server():
    with serving(key=KEY) as server:
        yield server


@pytest.fixture(scope="module")
def made(tmp_path_factory, server):
    """A project whose tables were made by one command, with what that printed."""
    project = copy_project(tmp_path_factory.mktemp("generated") / "project")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", KEY)
        printed = project.run(*TABLES, config=asking(server))
    return project, printed


@pytest.mark.slow
def test_one_command_generates_searches_trains_and_shows(made, server):
    project, printed = made
    assert KEY not in printed
    table = (project.results / "tables" / "attrvr" / "table1.md").read_text()
    assert f"Sentences: own: a chat model behind an OpenAI-compatible address ({MODEL})." in table
    prompts = (project.results / "tables" / "atprompt" / "table1.md").read_text()
    assert "Attributes: the winner of the first seed's search on each data set, in the bases of own" in prompts
    (search,) = (project.results / "searches").rglob("*.json")
    assert json.loads(search.read_text())["spec"]["bases"] == ["shape", "colour", "texture", "size", "outline"]
    assert len(server.requests) == 10 + 10 + 2  # every class and kind at once; two steps for bases
    assert_nowhere(project.root)


@pytest.mark.slow
def test_a_second_run_sends_no_request(made, server):
    project, _ = made
    before, times = len(server.requests), project.metrics_times()
    assert "Nothing to be done" in project.run(*TABLES, config=asking(server))
    for file in (project.root / ATTRIBUTES).glob("*.json"):
        file.unlink()
    wanted = f"artefacts=[{', '.join(TABLES)}]"
    project.run("generate", config=(*asking(server), wanted))  # without a key: all answers are kept
    project.run(*TABLES, config=asking(server))
    assert len(server.requests) == before
    assert project.metrics_times() == times


@pytest.mark.slow
def test_the_address_and_ceilings_set_nothing_off(made, server):
    project, _ = made
    other = asking(server, max_requests=5, concurrency=1, base_url="http://127.0.0.1:9/v1")
    assert "Nothing to be done" in project.run(*TABLES, config=other)


@pytest.mark.slow
def test_the_report_has_a_row_for_the_source(made, server):
    project, _ = made
    project.run(REPORT, config=asking(server))
    report = (project.results / "tables" / "attrvr" / "attribute_report.md").read_text()
    assert "| Digits: own | 25.0 | 25 |" in report and "| Digits: GPT-3.5 (here mini) |" in report


@pytest.mark.slow
def test_adopted_answers_are_input_and_set_off_no_model(made, server, tmp_path):
    project, _ = made
    printed = project.run("adopt", config=("source=own",))
    assert "mini_digits_bases.json, mini_digits_des.json, mini_digits_dist.json" in printed
    adopted = project.root / "attributes" / "own"
    assert (adopted / "mini_digits_des.record.json").exists()
    before, times = len(server.requests), project.metrics_times()
    shutil.rmtree(project.root / ATTRIBUTES)
    project.run(*TABLES, config=("sentences=own", "bases=own", "anchors=searched", "seeds=[1]"))
    assert len(server.requests) == before
    assert project.metrics_times() == times
    fresh = copy_project(tmp_path / "fresh")
    shutil.copytree(adopted, fresh.root / "attributes" / "own")
    assert "describe" not in fresh.run("attrvr_table1", "--dry-run", config=("sentences=own",))


def test_generate_asks_and_trains_nothing(project, server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    config = (*asking(server), "artefacts=[attrvr_table1, atprompt_table1]")
    assert "(des, dist, bases): 22 requests" in project.run("plan", config=config)
    project.run("generate", config=config)
    made = {file.name for file in (project.root / ATTRIBUTES).glob("*.json")}
    assert {"mini_digits_des.json", "mini_digits_dist.json", "mini_digits_bases.json"} < made
    assert not (project.results / "runs").exists() and not (project.results / "searches").exists()
    assert "Asked of" not in project.run("plan", config=config)


def test_a_failure_is_one_line_keeps_the_key_and_heals(project, server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}-wrong")
    printed = project.run("generate", config=(*asking(server), "artefacts=[attrvr_table1]"), check=False)
    assert "refuses the key in OPENAI_API_KEY" in line(printed, "describe failed: ")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.always = "German"
    try:
        printed += project.run("generate", config=(*asking(server), "artefacts=[attrvr_table1]"), check=False)
    finally:
        server.always = None
    assert "10 classes have fewer than 20 sentences" in line(printed, "describe failed: ")
    assert not list((project.root / ATTRIBUTES).glob("*.json"))
    assert "raise attempts" in printed
    printed += project.run("generate", config=(*asking(server, attempts=6), "artefacts=[attrvr_table1]"))
    assert (project.root / ATTRIBUTES / "mini_digits_des.json").exists()
    assert KEY not in printed
    assert_nowhere(project.root)


def test_a_server_that_is_not_there_is_started_and_asked(project):
    with serving() as gone:
        pass
    config = (*asking(gone), "artefacts=[attrvr_table1]")
    printed = project.run("generate", config=config, check=False)
    assert gone.url in line(printed, "describe failed: ")
    with serving(port=gone.port):
        project.run("generate", config=config)
    assert (project.root / ATTRIBUTES / "mini_digits_des.json").exists()


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (("sentences=own",), "source own names no model: add it in src/papertables/attributes/llms/own.yaml"),
        (("sentences=own", "llm={model: x}"), "https://api.openai.com/v1 asks for a key: put it into the environment"),
        (("sentences=own", "llm={model: x, base_url: 'http://me:secret@host/v1'}"), "without user, password or query"),
        (("sentences=own", "llm={key_variable: secret-key}"), "name the environment variable that holds the key"),
        (("sentences=owm",), "sentences: unknown source 'owm' (did you mean 'own'?)"),
        (("attributes=searched",), "'attributes' is called anchors now"),
    ],
)
def test_slips(project, monkeypatch, config, says):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    printed = project.run("attrvr_table1", config=config, check=False)
    assert line(printed, says) == printed.splitlines()[-1]
    assert "secret" not in printed and not project.results.exists()


def test_nothing_is_adopted_where_nothing_was_generated(project):
    printed = project.run("adopt", config=("source=own",), check=False)
    assert "has no answers: make them first: snakemake generate --config sentences=own" in line(printed, "error: ")
    assert "adopt: name whose answers" in line(project.run("adopt", check=False), "error: ")


TRAP = """\
import os, socket

connect = socket.socket.connect

def refused(self, address):
    if self.family != socket.AF_UNIX:
        with open(os.environ["REACHED"], "a") as file:
            print(address, file=file)
        raise OSError("there is no network")
    return connect(self, address)

socket.socket.connect = refused
"""


@pytest.mark.slow
def test_with_published_attributes_nothing_reaches_for_a_network(project, tmp_path):
    (tmp_path / "trap").mkdir()
    (tmp_path / "trap" / "sitecustomize.py").write_text(TRAP)
    reached = tmp_path / "reached"
    where = os.pathsep.join([str(tmp_path / "trap"), str(project.root / "src")])
    trapped = project.environment | {"PYTHONPATH": where, "REACHED": str(reached)}
    done = subprocess.run(
        project.command("attrvr_table1", "--config", "scale=tiny", "seeds=[1]"),
        cwd=project.root,
        env=trapped,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (project.results / "tables" / "attrvr" / "table1.md").exists()
    assert not reached.exists(), reached.read_text()
