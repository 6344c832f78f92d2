"""Tables in every format."""

import csv
from html.parser import HTMLParser

import pytest

from papertables.artefacts import latex, render, wording
from papertables.artefacts.compare import Quote
from papertables.artefacts.table import TableCell
from papertables.artefacts.tables import build
from tests.unit import artefact_world as world


@pytest.fixture
def table(tmp_path):
    return build(world.planned(), world.metrics(), world.published(tmp_path), {})


@pytest.fixture
def mini(tmp_path):
    spec = world.run("vp", "dtd", 2)
    metrics = world.metrics() | {spec.id: world.metrics_of(spec)}
    planned = world.planned(comparable=False)
    return build(planned, metrics, world.published(tmp_path), {})


class Page(HTMLParser):
    """Rows of cell texts by table id, other texts, and whatever points elsewhere."""

    VOID = ("meta", "link", "img", "br", "hr", "input")

    def __init__(self, text):
        super().__init__()
        self.tables, self.scopes, self.links, self.open, self.text = {}, [], [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.links += [value for key, value in attributes.items() if key in ("href", "src")]
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "table":
            self.rows = self.tables[attributes.get("id")] = []
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append("")
            self.scopes += [attributes["scope"]] if tag == "th" else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open or "script" in self.open:
            return
        self.text += data
        if "th" in self.open or "td" in self.open:
            self.rows[-1][-1] += data


def test_markdown_prints_mean_deviation_published_and_difference(table):
    lines = render.markdown(table).splitlines()
    assert "| Method | DTD | EuroSAT | Average |" in lines
    assert "| Zero-shot | 40.0 | 50.0 | 45.0 |" in lines
    vp = ("**61.0 ± 1.4**<br>61.4 (−0.4)", "**92.0 ± 2.8**<br>91.2 (+0.8)", "**76.5 ± 2.1**<br>76.3 (+0.2)")
    assert f"| VP | {' | '.join(vp)} |" in lines
    assert r"A paper on 100 % \_prompts\_ & images (ICLR 2025). Accuracy in percent." in lines


@pytest.mark.parametrize(
    ("difference", "digits", "text"),
    [
        (0.04, 1, "0.0"),
        (-0.04, 1, "0.0"),
        (-0.06, 1, "−0.1"),
        (0.004, 3, "+0.004"),
        (0.0, 0, "0"),
        (-1024.0, 0, "−1,024"),
        (None, 1, ""),
    ],
)
def test_a_difference_is_as_exact_as_the_number_that_it_is_of(difference, digits, text):
    assert wording.signed(TableCell(mean=1.0, digits=digits, difference=difference)) == text


def test_large_published_numbers_are_grouped_as_ours():
    quote = Quote(value=1234567, digits=0, std=1000, source="s", backbone="b", dataset="d", method="m")
    cell = TableCell(mean=1234568, digits=0, quote=quote, difference=1.0)
    assert (wording.ours(cell), wording.beside(cell)) == ("1,234,568", "1,234,567 ± 1,000 (+1)")


def test_csv_is_tidy_and_exact(table, tmp_path):
    render.write(table, tmp_path / "out" / "table1")
    with (tmp_path / "out" / "table1.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    found = next(row for row in rows if (row["row"], row["column"]) == ("VP", "DTD"))
    assert float(found["std"]) == 2**0.5
    assert found["published"] == "61.4"
    assert float(found["difference"]) == pytest.approx(-0.4)
    assert (found["n"], found["selection"], found["scale"]) == ("2", "best", "paper")
    assert (found["source"], found["status"]) == ("AttrVR, T1: quoted somewhere", "finished")
    assert (found["seeds"], found["mean_rank"], found["win_rate"]) == ("1=60 2=62", "1.0", "1.0")
    assert found["runs"].split() == [world.run("vp", "dtd", seed).id for seed in (1, 2)]


def test_a_row_of_another_epoch_says_so_in_every_format(tmp_path):
    made = build(world.keeping_best(), world.metrics(), world.published(tmp_path), {})
    tidy = render.tidy(made).set_index(["row", "column"])
    assert (tidy.loc[("VP", "DTD"), "selection"], tidy.loc[("Zero-shot", "DTD"), "selection"]) == ("best", "last")
    assert "**61.0 ± 1.4§**" in render.markdown(made)
    assert "61.0 \\pm 1.4 {$^\\S$}" in latex.latex(made)
    page = Page(render.html(made))
    assert page.tables["attrvr_table1"][2][1].startswith("61.0 ± 1.4§")
    assert "last epoch (§: best epoch on the test set)" in page.text


def test_html_is_a_whole_page_with_scoped_headers(table):
    page = Page(render.html(table))
    rows = page.tables["attrvr_table1"]
    assert rows[0] == ["Method", "DTD", "EuroSAT", "Average", "Mean rank", "Win rate"]
    vp = ("61.0 ± 1.461.4 (−0.4 =)", "92.0 ± 2.891.2 (+0.8 =)", "76.5 ± 2.176.3 (+0.2 =)")
    assert rows[2] == ["VP", *vp, "1.0", "100 %"]
    assert page.scopes == ["col"] * 6 + ["row"] * 2
    assert page.links == ["#content"]
    assert "= within one standard deviation of the published value" in page.text
    assert page.open == []
    assert "A paper on 100 % _prompts_ & images" in page.text
    assert all(note in page.text for note in table.notes)


def test_html_escapes_what_a_person_wrote(table):
    bad = table.model_copy(update={"caption": "<script>alert(1)</script>"})
    assert "<script>" not in render.html(bad)


def test_diverged_run_and_published_table_in_every_format(mini):
    run = world.run("vp", "dtd", 2).id
    page = Page(render.html(mini))
    assert page.tables["attrvr_table1"][2][1] == "–†"
    assert page.tables["attrvr_table1_published"][2] == ["VP", "61.4", "91.2", "76.3"]
    assert f"† diverged in epoch 1, step 17: {run}" in page.text
    markdown = render.markdown(mini)
    assert "| VP | –† | **92.0 ± 2.8** | –† |" in markdown
    assert "| VP | 61.4 | 91.2 | 76.3 |" in markdown
    assert "† diverged in epoch 1, step 17: " in markdown
    made = latex.latex(mini)
    assert r"VP & {--$^\dagger$} & \bfseries 92.0 \pm 2.8 & {--$^\dagger$}" in made
    assert "VP & {61.4} & {91.2} & {76.3}" in made
    assert "diverged in epoch 1, step 17" in made
    tidy = render.tidy(mini).set_index(["row", "column"])
    assert tidy.loc[("VP", "DTD"), "status"] == "diverged"
    assert tidy["published"].isna().all()


def test_every_note_is_in_every_readable_format(table):
    for note in table.notes:
        assert render.in_markdown(note) in render.markdown(table)
        assert latex._latex(note) in latex.latex(table)


def test_written_twice_gives_the_same_bytes_and_json_reads_back(table, tmp_path):
    for folder in ("one", "two"):
        render.write(table, tmp_path / folder / "table1")
    for suffix in (".md", ".csv", ".tex", ".html", ".json"):
        one, two = (tmp_path / folder / f"table1{suffix}" for folder in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()
    assert render.read(tmp_path / "one" / "table1.json") == table
