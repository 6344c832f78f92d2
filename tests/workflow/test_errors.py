"""What a user can get wrong ends in one line that names the mend: no traceback, a non-zero exit, nothing lost."""

import pytest


def line(printed: str, says: str) -> str:
    """The one line that holds ``says``."""
    assert "Traceback" not in printed
    lines = [text for text in printed.splitlines() if says in text]
    assert lines, printed
    return lines[0]


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("scael=mini", "unknown key 'scael'"),
        ("scale=huge", "unknown scale 'huge'"),
        ("artefacts=[attrvr_tabel1]", "did you mean 'attrvr_table1'?"),
        ("device=tpu", "config: device"),
        ("gpu=A1000", "unknown GPU 'A1000'"),
        ("retrain=nothing/*", "matches no run"),
    ],
)
def test_configuration(project, config, says):
    line(project.run("plan", config=(config,), check=False), says)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("mini_digits", "mini_digitz", "did you mean 'mini_digits'?"),
        ("mini-vit", "mini-vitt", "unknown backbone 'mini-vitt'"),
        ("shots: 2", "shots: 500", "500 shots"),
        ("epochs: 2", "epoch: 2", "unknown key 'epoch'"),
    ],
)
def test_scale(project, old, new, says):
    scale = project.root / "workflow" / "scales" / "tiny.yaml"
    scale.write_text(scale.read_text().replace(old, new))
    line(project.run("--dry-run", check=False), says)


def test_method(project):
    table = project.root / "workflow" / "papers" / "attrvr" / "table1.yaml"
    table.write_text(table.read_text().replace("attrvr]", "attrvrr]"))
    line(project.run("--dry-run", check=False), "did you mean 'attrvr'?")


def test_unknown_target(project):
    line(project.run("attrvr_tabel1", check=False), "attrvr_tabel1")


def test_no_gpu_where_one_is_asked_for(project):
    printed = project.run("attrvr_table1", config=("device=cuda",), check=False)
    assert "set device to cpu or auto" in line(printed, "finds no GPU")


def test_data_set_with_a_manual_step(project):
    printed = project.run("results/paper/data/stanford_cars/manifest.json", config=("scale=paper",), check=False)
    assert "data/stanford_cars" in line(printed, "needs a step of yours")


def test_unreadable_image_names_the_file_and_keeps_the_rest(project):
    project.run("results/tiny/data/mini_digits/manifest.json")
    folder = project.results / "data" / "mini_digits"
    for image in folder.rglob("*.png"):
        image.write_bytes(b"not an image")
    assert ".png" in line(project.run("attrvr_table1", check=False), "cannot be read as an image")
    assert (folder / "manifest.json").exists()


def test_corrupt_published_file(project):
    table = project.root / "workflow" / "papers" / "attrvr" / "table1.yaml"
    table.write_text(table.read_text().replace("table1.csv", "tabel1.csv"))
    line(project.run("--dry-run", check=False), "tabel1.csv")
