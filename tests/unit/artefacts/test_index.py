"""The pages: what they say, that every link leads somewhere, and that every number leads to its runs."""

import base64
import re
from dataclasses import replace
from html import unescape

import pytest

from papertables.artefacts import collect, figures, index, render
from papertables.artefacts.run_pages import Results
from papertables.artefacts.tables import build
from papertables.results.verdicts import PaperVerdicts, Tally, Verdict
from tests.unit import artefact_world as world
from tests.unit.artefacts.test_render import Page


def make(tmp_path, metrics, comparable=False, **config):
    """The folder of results with one table and its pages."""
    folder = tmp_path / "results" / "mini"
    planned = world.configured(world.planned(comparable=comparable), **config)
    table = build(planned, metrics, world.published(tmp_path), {})
    render.write(table, folder / "tables" / "attrvr" / "table1")
    write(folder, [folder / "tables" / "attrvr" / "table1.json"], [planned], metrics)
    return folder


def write(folder, artefacts, planned, metrics):
    collect.write_runs_csv(metrics, folder / "runs.csv")
    for run, each in metrics.items():
        record = folder / "runs" / run / "metrics.json"
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(each.model_dump_json())
    log = folder / "train.log"
    log.write_text("2 runs, 2 to make\n 0%\r100% <done>\n")
    results = Results(artefacts, planned, metrics, dict.fromkeys(metrics, log))
    index.write_pages(folder, results, planned[0].scope.scale, planned[0].scope.config)


def judge(folder):
    """Verdicts that lie where the pages look for them."""
    said = {"artefact": "attrvr_table1", "paper": "attrvr", "words": "VP beats <zero-shot>", "place": "Table 1"}
    claims = [
        Verdict(
            id="attrvr_a",
            verdict="holds",
            sentence="By 30 points.",
            effect=30,
            unit="points",
            interval=(28, 32),
            reading=False,
            **said,
        ),
        Verdict(id="attrvr_b", verdict="not tested here", sentence="No ImageNet.", reading=True, **said),
    ]
    made = PaperVerdicts(
        paper="attrvr",
        title="A",
        venue="B",
        scale="mini",
        compares=False,
        summary="1 of 2 claims holds in this world.",
        claims=claims,
        total=Tally(),
    )
    (folder / "verdicts").mkdir(parents=True)
    (folder / "verdicts" / "attrvr.json").write_text(made.model_dump_json())


def check_links(folder):
    """Every link of every page leads to a file, and to a place on it where it names one; none leads to the network."""
    pages = {page: page.read_text() for page in folder.rglob("*.html")}
    for page, text in pages.items():
        for link in map(unescape, re.findall(r'(?:href|src)="([^"]+)"', text)):
            if not link.startswith("data:"):
                file, _, place = link.partition("#")
                target = (page.parent / file).resolve() if file else page.resolve()
                assert target.is_file(), (page, link)
                assert not place or f'id="{place}"' in target.read_text(), (page, link)
    return pages


def test_every_link_leads_to_a_file_and_to_a_place_on_it(tmp_path):
    judge(tmp_path / "results" / "mini")
    pages = check_links(make(tmp_path, world.metrics()))
    names = {str(page.relative_to(tmp_path / "results" / "mini")) for page in pages}
    assert {"index.html", "document.html", "pages/attrvr.html", "pages/cells/attrvr_table1.html"} < names
    assert {f"pages/runs/{run}.html" for run in world.metrics()} < names
    assert all(Page(text).open == [] for text in pages.values())


def test_the_first_page_says_what_was_made_and_how(tmp_path):
    folder = make(tmp_path, world.metrics(), fidelity="repaired")
    page = Page((folder / "index.html").read_text())
    for fact in ("scale mini", "headline", "repaired", "6, 8 s of training", "cpu", "0123456789", "1, 2"):
        assert fact in page.text
    assert "snakemake --config scale=mini 'artefacts=[headline, ID]' shows it here too" in page.text
    assert "Runs that diverged" not in page.text
    assert "pages/attrvr.html#attrvr_table1-about" in page.links


def test_verdicts_come_first_where_there_are_any(tmp_path):
    folder = tmp_path / "results" / "mini"
    judge(folder)
    make(tmp_path, world.metrics())
    for name in ("index.html", "pages/attrvr.html", "document.html"):
        page = Page((folder / name).read_text())
        assert "1 of 2 claims holds in this world." in page.text
        assert "VP beats <zero-shot> (Table 1; our reading)" in page.text
        assert "30 [28, 32] points" in page.text
        assert "no statement about the paper" in page.text
    assert "attrvr.html#attrvr_table1-about" in (folder / "index.html").read_text()
    (folder / "verdicts" / "attrvr.json").unlink()
    make(tmp_path, world.metrics())
    assert "Verdict" not in (folder / "pages" / "attrvr.html").read_text().partition("<body>")[2]


def test_the_page_of_a_paper_has_its_tables_by_best_and_by_last_epoch(tmp_path):
    page = Page((make(tmp_path, world.metrics()) / "pages" / "attrvr.html").read_text())
    assert page.tables["attrvr_table1"][1] == ["Zero-shot", "40.0", "50.0", "45.0", "2.0", "0 %"]
    assert page.tables["attrvr_table1"][2][1] == "61.0 ± 1.4"
    assert page.tables["attrvr_table1_last"][2][1] == "59.5 ± 2.1"
    assert "attrvr_table1_published" in page.tables
    assert "Scale mini; mean ± standard deviation over seeds 1, 2; best epoch on the test set." in page.text
    document = Page((tmp_path / "results" / "mini" / "document.html").read_text())
    assert "attrvr_table1_last" not in document.tables


def test_a_cell_leads_to_its_seeds_and_runs(tmp_path):
    folder = make(tmp_path, world.metrics())
    assert "cells/attrvr_table1.html#r1c0" in Page((folder / "pages" / "attrvr.html").read_text()).links
    text = (folder / "pages" / "cells" / "attrvr_table1.html").read_text()
    cell = text[text.index('id="r1c0"') : text.index('id="r1c1"')]
    assert "DTD: <span" in cell and ", best epoch on the test set</h3>" in cell
    assert "seed 1: 60.00; seed 2: 62.00" in cell
    for seed in (1, 2):
        assert f"../runs/{world.run('vp', 'dtd', seed).id}.html" in cell


def test_a_run_has_its_curve_settings_origin_and_log(tmp_path):
    spec = world.run("vp", "dtd", 2)
    text = (make(tmp_path, world.metrics()) / "pages" / "runs" / f"{spec.id}.html").read_text()
    assert text.count("<polyline") == 3 and 'aria-label="Accuracy (%) over epochs: test, training"' in text
    page = Page(text)
    for said in ("VP on DTD, seed 2", "62.00 (epoch 2)", "61.00 (epoch 4)", "torch 2.12.0", "512 MB", "100% <done>"):
        assert said in page.text


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
    page = Page((make(tmp_path, {}, partial=True) / "pages" / "attrvr.html").read_text())
    assert page.tables["attrvr_table1"][1] == ["Zero-shot", "–*", "–*", "–*"]


@pytest.mark.slow
def test_a_figure_stands_in_the_page_as_vectors_with_its_files(tmp_path):
    folder = make(tmp_path, world.metrics())
    stem = folder / "figures" / "attrvr" / "epochs"
    changes = {"id": "attrvr_epochs", "kind": "figure", "drawing": "selection", "title": "Best <or> last"}
    table = world.planned(comparable=False)
    planned = replace(table, artefact=world.artefact(**changes))
    figures.write(planned, world.metrics(), world.files(tmp_path), stem)
    artefacts = [stem.with_suffix(".json"), folder / "tables" / "attrvr" / "table1.json"]
    write(folder, artefacts, [planned, table], world.metrics())
    check_links(folder)
    text = (folder / "pages" / "attrvr.html").read_text()
    page = Page(text)
    assert [link for link in page.links if "figures/" in link] == [
        "../figures/attrvr/epochs.svg",
        *(f"../figures/attrvr/epochs.{suffix}" for suffix in ("pdf", "svg", "png", "csv")),
    ]
    assert 'width="896" alt="Dots: accuracy in percent of the best test epoch and of the last epoch for' in text
    assert "Best <or> last" in page.text and 'id="attrvr_epochs"' in text
    assert text.index('id="attrvr_epochs"') < text.index('id="attrvr_table1"')
    (image,) = [link for link in Page((folder / "document.html").read_text()).links if link.startswith("data:")]
    assert base64.b64decode(image.partition(",")[2]) == stem.with_suffix(".svg").read_bytes()
