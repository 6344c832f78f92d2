"""The pages in a real browser, on a phone and on a desk: no complaint, and everything can be reached and read."""

import os
import shutil

import pytest

from papertables.artefacts import render
from papertables.artefacts.pdf import BROWSERS, write_pdf
from papertables.artefacts.tables import build
from tests.unit import artefact_world as world
from tests.unit.artefacts.test_index import check_links, judge, make, write

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="needs Chromium or Chrome")]
SIZES = {"phone": (390, 844), "desk": (1280, 900)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Verdicts, a table beside published numbers, and one in two blocks with a long name that is wider than a phone."""
    path = tmp_path_factory.mktemp("pages")
    judge(path / "results" / "mini")
    made = make(path, world.metrics(), comparable=True)
    planned = world.planned()
    table = build(planned, world.metrics(), world.published(path), {})
    columns = tuple(f"Data set {i}" for i in range(9))
    wide = table.model_copy(
        update={
            "id": "attrvr_wide",
            "columns": columns,
            "rows": ("One: Zero-shot", "One: CoCoOp+ATPrompt"),
            "groups": ("One", "One"),
            "cells": tuple((row[:1] * 9) for row in table.cells),
            "other": (),
            "standings": (),
        }
    )
    render.write(wide, made / "tables" / "attrvr" / "wide")
    artefacts = [made / "tables" / "attrvr" / f"{name}.json" for name in ("table1", "wide")]
    write(made, artefacts, [planned], world.metrics())
    return made


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        arguments = ["--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        yield started.chromium.launch(executable_path=BROWSER, args=arguments)


@pytest.fixture(params=SIZES)
def page(request, browser):
    """A page on which a complaint is an error."""
    width, height = SIZES[request.param]
    opened, said = browser.new_page(viewport={"width": width, "height": height}), []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    yield opened
    opened.close()
    assert said == []


def column(page, table, index):
    """The texts of a column that are to be seen."""
    cells = page.locator(f"#{table} tbody tr:not(.group) > :nth-child({index + 1})")
    return [cell.inner_text().split("\n")[0].strip() for cell in cells.all() if cell.is_visible()]


def test_every_page_is_whole_and_no_wider_than_the_screen(page, folder):
    for file in check_links(folder):
        page.goto(file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), file
        assert page.locator("main").is_visible()


def test_numbers_are_to_be_seen_beside_the_column_that_stays(page, folder):
    page.goto((folder / "pages" / "attrvr.html").as_uri())
    for table in ("attrvr_table1", "attrvr_wide"):
        seen = page.evaluate(
            """id => {
              const table = document.getElementById(id), box = table.closest(".scroll").getBoundingClientRect();
              const row = table.querySelector("tbody tr:not(.group)").cells;
              const first = row[0].getBoundingClientRect(), next = row[1].getBoundingClientRect();
              return [first.right <= next.left + 1, next.right <= box.right + 1, first.width / box.width];
            }""",
            table,
        )
        assert seen[:2] == [True, True]
        assert seen[2] < 0.5


def test_a_wide_table_says_that_it_scrolls(page, folder):
    page.goto((folder / "pages" / "attrvr.html").as_uri())
    box = page.locator(".scroll:has(#attrvr_wide)")
    wider = box.evaluate("box => box.scrollWidth > box.clientWidth")
    assert box.locator("xpath=preceding-sibling::*[1]").is_visible() == wider
    assert wider or page.viewport_size["width"] > 390


def test_columns_sort_by_click_and_by_key(page, folder):
    page.goto((folder / "pages" / "attrvr.html").as_uri())
    heads = page.locator("#attrvr_table1 thead th")
    heads.nth(1).locator("button").click()
    assert column(page, "attrvr_table1", 0) == ["VP", "Zero-shot"]
    assert heads.nth(1).get_attribute("aria-sort") == "descending"
    heads.nth(1).locator("button").focus()
    page.keyboard.press("Enter")
    assert column(page, "attrvr_table1", 0) == ["Zero-shot", "VP"]
    assert "ascending" in page.locator("#said").inner_text()
    heads.nth(0).locator("button").click()
    assert heads.nth(1).get_attribute("aria-sort") is None
    assert column(page, "attrvr_table1", 0) == ["VP", "Zero-shot"]


def test_methods_and_data_sets_are_filtered(page, folder):
    page.goto((folder / "pages" / "attrvr.html").as_uri())
    heads = page.locator("#attrvr_table1 thead th:visible")
    page.get_by_label("Methods").fill("vp")
    assert column(page, "attrvr_table1", 0) == ["VP"]
    page.get_by_label("Methods").fill("")
    page.get_by_label("Data sets").fill("euro")
    assert [text.split()[0] for text in heads.all_inner_texts()] == ["Method", "EuroSAT", "Average", "Mean", "Win"]
    page.get_by_label("Methods").fill("nothing such, zero")
    assert column(page, "attrvr_table1", 2)[0].startswith("50.0")
    assert column(page, "attrvr_table1", 0) == ["Zero-shot"]


def test_best_and_last_epoch_are_switched(page, folder):
    page.goto((folder / "pages" / "attrvr.html").as_uri())
    assert page.locator("#attrvr_table1").is_visible() and not page.locator("#attrvr_table1_last").is_visible()
    page.get_by_role("button", name="Last epoch").click()
    assert not page.locator("#attrvr_table1").is_visible()
    assert column(page, "attrvr_table1_last", 1)[1].startswith("59.5")
    assert page.get_by_role("button", name="Last epoch").get_attribute("aria-pressed") == "true"
    assert page.locator("#attrvr_wide").is_visible()


def test_from_a_verdict_to_a_number_to_its_run(page, folder):
    page.goto((folder / "index.html").as_uri())
    page.get_by_role("link", name="The numbers behind it: attrvr_table1").first.click()
    page.locator("#attrvr_table1 td a").first.click()
    page.locator("#r0c0 a").click()
    assert page.get_by_role("heading", name="Zero-shot on DTD").is_visible()


def test_headings_tables_and_fields_have_names(page, folder):
    page.goto((folder / "pages" / "attrvr.html").as_uri())
    assert page.locator("h1").count() == 1
    unnamed = """() => [...document.querySelectorAll("table")].filter(table => !table.caption?.textContent.trim()
      || [...table.querySelectorAll("th")].some(head => !head.scope)).length"""
    assert page.evaluate(unnamed) == 0
    assert page.get_by_role("searchbox").count() == page.get_by_role("searchbox", name="s").count() == 2
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"


FAINT = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (part) => part <= 10 ? part / 3295 : ((part / 255 + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = (node) => {
    const colour = rgb(getComputedStyle(node).backgroundColor);
    return colour[3] === 0 ? ground(node.parentElement) : colour;
  };
  const contrast = (node) => {
    const [one, other] = [light(rgb(getComputedStyle(node).color)), light(ground(node))];
    return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  };
  const says = (node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
  const seen = [...document.querySelectorAll("main *")].filter((node) => node.checkVisibility() && says(node));
  return seen.filter((node) => contrast(node) < 4.5).map((node) => node.outerHTML);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser, folder, scheme):
    """By WCAG's contrast of 4.5, whatever is to be seen."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    opened.goto((folder / "pages" / "attrvr.html").as_uri())
    faint = opened.evaluate(FAINT)
    opened.close()
    assert faint == []


def test_everything_is_printed_as_one_pdf(folder, tmp_path):
    write_pdf(folder / "document.html", tmp_path / "document.pdf")
    assert (tmp_path / "document.pdf").read_bytes().startswith(b"%PDF-")
