"""The first command of a user whose machine has Snakemake, and of this project only the folder."""

import sys
import sysconfig
from pathlib import Path

import pytest

from tests.environment.alone import Interpreter, snakemake_alone
from tests.environment.conda_standin import install_standin, path_with
from tests.workflow.conftest import Project, copy_project

MANIFEST = "results/mini/data/mini_moths/manifest.json"
OUTER = """\
rule version:  # starts Snakemake once more, as executors of clusters do
    output: "version.txt"
    shell: "{python} -m snakemake --version > {{output}}"

module papertables:
    snakefile: "{snakefile}"
    config: {{}}

use rule * from papertables
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Interpreter:
    return snakemake_alone(tmp_path_factory.mktemp("alone") / "environment")


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Project:
    return copy_project(tmp_path_factory.mktemp("alone") / "project")


@pytest.fixture(scope="module")
def snakemake(python, copy):
    def snakemake(*arguments: str, fails: bool = False, **variables: str) -> str:
        done = python.run("-m", "snakemake", *arguments, folder=copy.root, **variables)
        printed = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, printed
        assert "Traceback" not in printed and 'File "' not in printed
        assert not (copy.root / "results").exists()
        return printed

    return snakemake


@pytest.mark.parametrize("package", ["papertables", "numpy", "pandas", "torch", "typer", "rich", "pip"])
def test_the_environment_lacks_what_snakemake_does_not_bring(python, tmp_path, package):
    done = python.run("-c", f"import {package}", folder=tmp_path)
    assert f"No module named '{package}'" in done.stderr


@pytest.mark.parametrize("scale", ["mini", "paper"])
def test_dry_run(snakemake, scale):
    printed = snakemake("--dry-run", "--config", f"scale={scale}")
    assert f"results/{scale}/tables/attrvr/table1.md" in printed and "This was a dry-run" in printed


def test_dry_run_with_conda(snakemake, tmp_path):
    """Snakemake asks conda even then, about itself."""
    printed = snakemake("--cores", "8", "--use-conda", "--dry-run", PATH=path_with(install_standin(tmp_path)))
    assert "train.yaml will be created" in printed and "artefacts.yaml will be created" in printed


def test_list(snakemake):
    assert {"attrvr_table1", "atprompt_audit", "train"} <= set(snakemake("--list").split())


def test_plan(snakemake):
    assert "attrvr_table1" in snakemake("plan")


def test_what_a_language_model_would_be_asked(snakemake):
    asked = ("--config", "sentences=own", "bases=own", "anchors=searched")
    assert "describe" in snakemake("generate", "--dry-run", *asked) and "Asked of own" in snakemake("plan", *asked)
    assert "has no answers" in snakemake("adopt", "--config", "source=own", fails=True)


def test_unknown_target(snakemake):
    error = snakemake("attrvr_tabel1", fails=True).splitlines()[-1]
    assert error.startswith("error: unknown target 'attrvr_tabel1' (did you mean 'attrvr_table1'?)")


def test_packages_known_by_a_variable_alone(tmp_path):
    """As environment modules of clusters do it: jobs, too, find what the variable named before."""
    project = copy_project(tmp_path / "project")
    bare = Interpreter(Path(sys._base_executable))
    (tmp_path / "Snakefile").write_text(OUTER.format(python=bare.path, snakefile=project.root / "Snakefile"))
    packages = sysconfig.get_path("purelib")
    done = bare.run("-m", "snakemake", "--cores", "1", "version.txt", MANIFEST, folder=tmp_path, PYTHONPATH=packages)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / MANIFEST).exists()
