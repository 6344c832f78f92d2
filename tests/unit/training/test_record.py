"""The commit that is recorded with a run."""

import subprocess
from pathlib import Path

import pytest

from papertables.training import record

CONFIG = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")


def git(folder: Path, *command: str) -> str:
    done = subprocess.run(["git", *CONFIG, *command], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project below another folder, in no repository yet."""
    root = tmp_path / "other" / "papertables"
    package = root / "src" / "papertables"
    package.mkdir(parents=True)
    for file in ("Snakefile", "README.md", "src/papertables/base/code.py", "workflow/rule.smk"):
        (root / file).parent.mkdir(exist_ok=True)
        (root / file).write_text("one\n")
    monkeypatch.setattr(record, "FOLDER", package)
    record.git_commit.cache_clear()
    yield root
    record.git_commit.cache_clear()


def committed(folder: Path) -> str:
    git(folder, "init", "-q", ".")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "all")
    return git(folder, "rev-parse", "HEAD")


def test_the_projects_own_commit_is_recorded(project):
    own = committed(project)
    assert record.git_commit() == own


def test_none_is_recorded_of_a_repository_around_it(project):
    committed(project.parent)
    assert record.git_commit() is None


def test_none_is_recorded_without_a_repository(project):
    assert record.git_commit() is None


def test_none_is_recorded_before_the_first_commit(project):
    git(project, "init", "-q", ".")
    assert record.git_commit() is None


def test_none_is_recorded_of_a_package_that_is_installed_elsewhere(project):
    (project / "Snakefile").unlink()
    committed(project)
    assert record.git_commit() is None


def test_none_is_recorded_without_git(project, monkeypatch):
    committed(project)
    monkeypatch.setenv("PATH", str(project))
    assert record.git_commit() is None


def test_a_repository_that_the_environment_names_is_not_asked(project, tmp_path, monkeypatch):
    own = committed(project)
    (tmp_path / "third").mkdir()
    (tmp_path / "third" / "file").write_text("three")
    committed(tmp_path / "third")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "third" / ".git"))
    assert record.git_commit() == own


@pytest.mark.parametrize("file", ["src/papertables/base/code.py", "workflow/rule.smk"])
@pytest.mark.parametrize("change", ["edited", "staged", "deleted"])
def test_changed_code_is_marked(project, file, change):
    own = committed(project)
    if change == "deleted":
        (project / file).unlink()
    else:
        (project / file).write_text("two\n")
    if change == "staged":
        git(project, "add", file)
    assert record.git_commit() == f"{own}-dirty"


@pytest.mark.parametrize("file", ["README.md", "src/papertables/untracked.txt"])
def test_what_is_no_tracked_code_marks_nothing(project, file):
    own = committed(project)
    (project / file).write_text("two\n")
    assert record.git_commit() == own
