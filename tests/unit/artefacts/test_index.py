"""The index: what it says, and that every link leads somewhere."""

import base64
from dataclasses import replace

from papertables.artefacts import collect, figures, index, render
from papertables.artefacts.tables import build
from tests.unit import artefact_world as world
from tests.unit.artefacts.test_render import Page


def make(tmp_path, metrics, **config):
    folder = tmp_path / "results" / "mini"
    planned = world.configured(world.planned(comparable=False), **config)
    table = build(planned, metrics, world.published(tmp_path), {})
    render.write(table, folder / "tables" / "attrvr" / "table1")
    collect.write_runs_csv(metrics, folder / "runs.csv")
    tables = [folder / "tables" / "attrvr" / "table1.json"]
    index.write_index(folder / "index.html", tables, folder / "runs.csv", planned.scope.scale, planned.scope.config)
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
    for fact in ("scale mini", "headline", "repaired", "6, 8 s of training", "cpu", "0123456789", "1, 2"):
        assert fact in page.text
    assert "Runs that diverged" not in page.text


def test_it_says_which_code_was_changed_and_where_no_commit_is_known(tmp_path):
    given = ("0123456789abcdef", "0123456789abcdef-dirty", None)
    found = world.metrics()
    commits = dict(zip(found, [*given, *given], strict=True))
    found = {id: each.model_copy(update={"git_commit": commits[id]}) for id, each in found.items()}
    page = Page((make(tmp_path, found) / "index.html").read_text())
    assert all(name in page.text for name in ("0123456789,", "0123456789-dirty", "none"))
    frame = collect.runs_csv(found)
    assert set(frame["git_commit"]) == {*given[:2], "none"}


def test_it_lists_diverged_runs(tmp_path):
    spec = world.run("vp", "dtd", 2)
    page = Page((make(tmp_path, world.metrics() | {spec.id: world.metrics_of(spec)}) / "index.html").read_text())
    assert "Runs that diverged" in page.text
    assert f"epoch 1, step 17: {spec.id}" in page.text


def test_it_can_be_made_when_nothing_has_run_yet(tmp_path):
    page = Page((make(tmp_path, {}, partial=True) / "index.html").read_text())
    assert page.tables["attrvr_table1"][1] == ["Zero-shot", "–*", "–*", "–*"]


def with_figure(tmp_path):
    """The index of a figure and, behind it, a table."""
    folder = make(tmp_path, world.metrics())
    stem = folder / "figures" / "attrvr" / "epochs"
    planned = world.planned(comparable=False)
    changes = {"id": "attrvr_epochs", "kind": "figure", "drawing": "selection", "title": "Best <or> last"}
    planned = replace(planned, artefact=world.artefact(**changes))
    figures.write(planned, world.metrics(), world.files(tmp_path), stem)
    artefacts = [stem.with_suffix(".json"), folder / "tables" / "attrvr" / "table1.json"]
    index.write_index(folder / "index.html", artefacts, folder / "runs.csv", world.MINI_SCALE, world.config())
    return folder


def test_a_figure_stands_in_the_page_with_its_text_and_its_files(tmp_path):
    folder = with_figure(tmp_path)
    text = (folder / "index.html").read_text()
    page = Page(text)
    (image,) = [link for link in page.links if link.startswith("data:image/png;base64,")]
    png = folder / "figures" / "attrvr" / "epochs.png"
    assert base64.b64decode(image.partition(",")[2]) == png.read_bytes()
    assert 'width="896" alt="Dots' in text
    links = [link for link in page.links if link.startswith("figures/")]
    assert links == [f"figures/attrvr/epochs.{suffix}" for suffix in ("pdf", "png", "csv")]
    assert all((folder / link).is_file() for link in links)
    assert 'alt="Dots: accuracy in percent of the best test epoch and of the last epoch for Zero-shot, VP, in' in text
    assert "Best <or> last" in page.text and 'id="attrvr_epochs"' in text
    assert "what choosing the epoch on the test set adds" in page.text
    assert text.index('id="attrvr_epochs"') < text.index('id="attrvr_table1"')
    assert page.tables["attrvr_table1"][1] == ["Zero-shot", "40.0", "50.0", "45.0"]
    assert page.open == []
