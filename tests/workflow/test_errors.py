"""What a user can get wrong ends in one line that names the mend: no traceback, a non-zero exit, nothing lost."""

import pytest

from tests.fault_server import FaultServer


def line(printed: str, says: str) -> str:
    """The last line that holds ``says``."""
    assert "Traceback" not in printed
    lines = [text for text in printed.splitlines() if says in text]
    assert lines, printed
    return lines[-1]


@pytest.mark.parametrize(
    ("arguments", "config", "says"),
    [
        (("plan",), "scael=mini", "unknown key 'scael'"),
        (("--dry-run",), "artefacts=[attrvr_tabel1]", "did you mean 'attrvr_table1'?"),
        (("--dry-run",), "retrain=nothing/*", "matches no run"),
        (("--dry-run",), "data_root=/dev/null/x", "/dev/null is a file"),
        (("attrvr_tabel1",), "selection=last", "unknown target 'attrvr_tabel1' (did you mean 'attrvr_table1'?)"),
        (("results/tiny/tables/attrvr/nothing.md", "--dry-run"), "selection=last", "nothing makes such a file"),
        ((), "device=cuda", "device is cuda, but this machine has no GPU"),
        ((), "scale=paper", "no GPU here, and"),
    ],
)
def test_command(project, monkeypatch, arguments, config, says):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    printed = project.run(*arguments, config=(config,), check=False)
    assert line(printed, says) == printed.splitlines()[-1]
    assert printed.splitlines()[-1].startswith("error: ")
    assert 'File "' not in printed
    assert not project.results.exists()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("mini_digits", "mini_digitz", "did you mean 'mini_digits'?"),
        ("mini-vit", "mini-vitt", "unknown backbone 'mini-vitt'"),
        ("shots: 2", "shots: 500", "500 shots"),
        ("training: {epochs: 2}", "training: {epoch: 2}", "unknown key 'epoch'"),
        ("training.epochs: 2", "training.epoch: 2", "adjust: unknown setting 'training.epoch'"),
    ],
)
def test_scale(project, old, new, says):
    scale = project.root / "workflow" / "scales" / "tiny.yaml"
    scale.write_text(scale.read_text().replace(old, new))
    line(project.run("attrvr_table1", "atprompt_table1", "--dry-run", check=False), says)


def test_method(project):
    table = project.root / "workflow" / "papers" / "attrvr" / "table1.yaml"
    table.write_text(table.read_text().replace("attrvr]", "attrvrr]"))
    line(project.run("attrvr_table1", "--dry-run", check=False), "did you mean 'attrvr'?")


def test_a_broken_artefact_is_named_and_breaks_no_other(project):
    papers = project.root / "workflow" / "papers"
    (papers / "attrvr" / "cost.yaml").write_text("title: [\n")
    table = papers / "blm" / "padding.yaml"
    table.write_text(table.read_text().replace("padding.csv", "paddings.csv"))
    printed = project.run("plan")
    assert "did you mean 'padding.csv'" in line(printed, "Cannot be planned, and left out: blm_padding: ")
    assert "cost.yaml: not valid YAML" in line(printed, "attrvr_cost: ")
    assert "paddings.csv" in line(project.run("blm_padding", "--dry-run", check=False), "error: ")
    made = project.run("attrvr_table1", "--dry-run")
    assert "train" in made and "paddings.csv" not in made
    assert "blm_padding cannot be planned" in line(project.run("blm", "--dry-run"), "the rest is made without it")


def test_the_rest_is_made_and_what_needs_a_broken_artefact_fails(project):
    smm = project.root / "workflow" / "papers" / "smm"
    for path in smm.glob("*.yaml"):
        if path.stem not in ("protocol", "table4"):
            path.unlink()
    (project.root / "workflow" / "papers" / "common" / "claims.yaml").unlink()  # of which some are of these, too
    (smm / "table6.yaml").write_text("title: [\n")
    printed = project.run("smm", check=False)
    assert "table6.yaml: not valid YAML" in line(printed, "broken failed: ")
    assert (project.results / "tables" / "smm" / "table4.md").exists()


def test_a_key_twice_in_the_configuration(project):
    file = project.root / "config.yaml"
    file.write_text(file.read_text() + "\nscale: paper\n")
    line(project.run("plan", check=False), "key 'scale' stands twice")


def test_a_configuration_without_keys(project):
    (project.root / "config.yaml").write_text("- scale: mini\n")
    line(project.run("plan", check=False), "config.yaml: must hold keys and values")


def test_data_set_with_a_manual_step(project):
    printed = project.run("results/paper/data/imagenet/manifest.json", config=("scale=paper",), check=False)
    assert "data/imagenet" in line(printed, "needs a step of yours")


def test_data_set_that_no_address_gives(project):
    """The mirrors of the configuration are asked, for as long as it says."""
    with FaultServer() as server:
        config = ("scale=paper", "download_patience=0", f'mirrors={{"https://": "{server.url}/"}}')
        printed = project.run("results/paper/data/dtd/manifest.json", config=config, check=False)
    said = line(printed, "error: cannot download dtd, neither ")
    assert [f"{server.url}/{path} (HTTP status 404)" in said for path, _ in server.asked] == [True, True]


def test_unreadable_image_names_the_file_and_keeps_the_rest(project):
    project.run("results/tiny/data/mini_digits/manifest.json")
    folder = project.results / "data" / "mini_digits"
    for image in folder.rglob("*.png"):
        image.write_bytes(b"not an image")
    reason = line(project.run("attrvr_table1", check=False), "not what it was when its data set was prepared")
    assert reason.startswith("cache failed: ") and ".png" in reason  # told once more at the end, where a user looks
    assert (folder / "manifest.json").exists()


def test_a_job_that_breaks_says_why_at_the_end(project):
    source = project.root / "src" / "papertables" / "data" / "prepare.py"
    source.write_text(source.read_text() + "\n\ndef prepare(*_):\n    raise ValueError('broken here')\n")
    printed = project.run("results/tiny/data/mini_digits/manifest.json", check=False)
    log = "results/tiny/logs/prepare/mini_digits.log"
    assert line(printed, "broken here") == f"prepare failed: ValueError: broken here (details in {log})"
    assert "Traceback" in (project.root / log).read_text()


def test_the_page_shows_what_is_made_where_an_artefact_breaks(project):
    source = project.root / "src" / "papertables" / "artefacts" / "computed" / "attribute_report.py"
    whole, index = source.read_text(), project.results / "index.html"
    source.write_text(whole + "\n\nraise ValueError('broken here')\n")
    config = ("artefacts=[atprompt_audit,attrvr_attribute_report]",)
    told = "results/tiny/index.html shows what is made: 1 of 2 tables and figures"
    line(project.run("--keep-going", config=config, check=False), told)
    assert "<code>attrvr_attribute_report</code>" in index.read_text()
    assert (project.results / "runs.csv").exists()
    source.write_text(whole)
    project.run(config=config)
    assert "Not made" not in index.read_text() and "attribute_report" in index.read_text()


def test_corrupt_published_file(project):
    table = project.root / "workflow" / "papers" / "attrvr" / "table1.yaml"
    table.write_text(table.read_text().replace("table1.csv", "tabel1.csv"))
    line(project.run("attrvr_table1", "--dry-run", check=False), "tabel1.csv")
    line(project.run("--dry-run"), "tabel1.csv")  # what is configured beside it is made
