"""The index: what it says, and that every link leads somewhere."""

from papertables.artefacts import collect, index, render
from papertables.artefacts.tables import build

from . import artefact_world as world
from .test_render import Page


def make(tmp_path, metrics, **config):
    folder = tmp_path / "results" / "mini"
    planned = world.planned(comparable=False)
    config = world.config(**config)
    table = build(planned, metrics, world.published(tmp_path), world.MINI_SCALE, config)
    render.write(table, folder / "tables" / "attrvr" / "table1")
    collect.write_runs_csv(metrics, folder / "runs.csv")
    tables = [folder / "tables" / "attrvr" / "table1.json"]
    index.write_index(folder / "index.html", tables, folder / "runs.csv", world.MINI_SCALE, config)
    return folder


def test_every_link_leads_to_a_file_or_to_a_place_on_the_page(tmp_path):
    folder = make(tmp_path, world.metrics())
    text = (folder / "index.html").read_text()
    page = Page(text)
    assert {link for link in page.links if not link.startswith("#")} == {
        "runs.csv",
        *(f"tables/attrvr/table1.{suffix}" for suffix in ("html", "md", "csv", "tex")),
    }
    for link in page.links:
        assert f'id="{link[1:]}"' in text if link.startswith("#") else (folder / link).is_file()
    assert "http" not in text
    assert page.open == []


def test_it_shows_the_tables_and_how_they_were_made(tmp_path):
    page = Page((make(tmp_path, world.metrics(), fidelity="repaired") / "index.html").read_text())
    assert page.tables["attrvr_table1"][1] == ["Zero-shot", "40.0", "50.0", "45.0"]
    assert "attrvr_table1_published" in page.tables
    for fact in ("scale mini", "headline", "repaired", "6, 15 s of training", "cpu", "0123456789", "1, 2"):
        assert fact in page.text
    assert "Runs that diverged" not in page.text


def test_it_lists_diverged_runs(tmp_path):
    spec = world.run("vp", "dtd", 2)
    page = Page((make(tmp_path, world.metrics() | {spec.id: world.metrics_of(spec)}) / "index.html").read_text())
    assert "Runs that diverged" in page.text
    assert f"epoch 3, step 17: {spec.id}" in page.text


def test_it_can_be_made_when_nothing_has_run_yet(tmp_path):
    page = Page((make(tmp_path, {}, partial=True) / "index.html").read_text())
    assert page.tables["attrvr_table1"][1] == ["Zero-shot", "–*", "–*", "–*"]
