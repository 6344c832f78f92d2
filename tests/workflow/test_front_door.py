"""The ways in: from any folder, as a module of another workflow, and commands that only read."""

import os
import signal
import subprocess
import time

from tests.workflow.conftest import copy_project

OUTER = """\
configfile: "config.yaml"

rule mine:
    output: "mine.txt"
    shell: "echo mine > {{output}}"

module papertables:
    snakefile: "{snakefile}"
    config: config["papertables"]

use rule * from papertables as pt_*
"""


def test_from_any_folder(project, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    where = ("--snakefile", str(project.root / "Snakefile"), "--directory", str(elsewhere))
    project.run(*where, "--dry-run")
    project.run(*where, "atprompt_audit")
    assert (elsewhere / "results" / "tiny" / "tables" / "atprompt" / "audit.md").exists()
    assert not project.results.exists()


def test_as_a_module(project, tmp_path):
    outer = tmp_path / "outer"
    outer.mkdir()
    (outer / "Snakefile").write_text(OUTER.format(snakefile=project.root / "Snakefile"))
    (outer / "config.yaml").write_text("scale: of the outer workflow\npapertables: {scale: tiny, selection: last}\n")

    def snakemake(*arguments):
        command = project.command("--cores", "2", *arguments)
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        return subprocess.run(command, cwd=outer, env=environment, text=True, capture_output=True)

    done = snakemake("mine", "pt_atprompt_audit")
    assert done.returncode == 0, done.stderr
    assert (outer / "mine.txt").exists()
    assert (outer / "results" / "tiny" / "tables" / "atprompt" / "audit.md").exists()
    planned = snakemake("--dry-run", "pt_configured")
    assert planned.returncode == 0, planned.stderr
    assert "pt_train" in planned.stderr + planned.stdout
    slip = snakemake("--dry-run", "pt_configured", "--config", "papertables={scale: tinny}")
    assert slip.returncode == 1
    assert "error: config: unknown scale 'tinny' (did you mean 'tiny'?)" in slip.stderr


def test_plan_answers_as_often_as_it_is_asked(project):
    first, second = (project.run("plan").split("artefact ")[1] for _ in range(2))
    assert first == second
    assert "attrvr_table1" in first and "attrvr_table2" not in first  # what is selected
    assert "attrvr_table2" in project.run("plan", "attrvr_table2")
    assert not project.results.exists()


def test_plan_leaves_a_running_pipeline_alone(tmp_path):
    project = copy_project(tmp_path / "project")
    running = subprocess.Popen(
        project.command("attrvr_table1", "--config", "scale=tiny"),
        cwd=project.root,
        env=project.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    locks = project.root / ".snakemake" / "locks"
    try:
        deadline = time.monotonic() + 60
        while not (locks.is_dir() and len(list(locks.iterdir())) == 2):  # of inputs, then of outputs
            assert running.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(running.pid, signal.SIGSTOP)  # or it would end while a loaded machine answers the others
        held = sorted(path.name for path in locks.iterdir())
        assert "attrvr_table1" in project.run("plan")
        assert sorted(path.name for path in locks.iterdir()) == held
        said = project.run("attrvr_table1", check=False).splitlines()[-1]  # no second training beside the first
        assert said.startswith(f"error: another run of Snakemake (process {running.pid}, since ")
        assert said.endswith(f"wait until it ends, or end it with kill {running.pid}")
        assert "Nothing to be done" not in project.run("attrvr_table2", "--dry-run")  # looking needs no lock
        assert running.poll() is None
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    said = project.run("attrvr_table1", check=False).splitlines()[-1]
    assert said.endswith("if there is none, snakemake --unlock, then the same command again")
    project.run("--unlock")
    project.run("attrvr_table1", "--dry-run")
