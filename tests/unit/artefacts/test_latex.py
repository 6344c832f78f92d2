"""Tables as LaTeX: what stands in a cell, and that they compile and fit on a page."""

import shutil
import subprocess

import pytest

from papertables.artefacts import latex
from papertables.artefacts.compare import Quote
from papertables.artefacts.table import Table, TableCell
from papertables.artefacts.tables import build
from tests.unit import artefact_world as world


@pytest.fixture
def table(tmp_path):
    return build(world.planned(), world.metrics(), world.published(tmp_path), {})


def test_it_is_booktabs_and_siunitx(table):
    text = latex.latex(table)
    assert text.index(r"\toprule") < text.index(r"\midrule") < text.index(r"\bottomrule")
    assert r"\caption{Main results. Accuracy in percent.}" in text
    assert r"\label{tab:attrvr_table1}" in text
    assert r"\begin{tabular}{lS[table-format=2.1(2)]S" in text
    assert r"VP & \bfseries 61.0 \pm 1.4 & \bfseries 92.0 \pm 2.8" in text
    assert r" & {\scriptsize 61.4 ($-$0.4)} & " in text
    assert r"Zero-shot & {\underline{\num{40.0}}} & " in text
    assert r"few\_shot\_draw = shared" in text
    assert text.isascii()
    for name in ("table", "tabular"):
        assert text.count(rf"\begin{{{name}}}") == text.count(rf"\end{{{name}}}") > 0


def test_it_escapes_every_special_character():
    assert latex._latex(r"\&%$#_{}~^") == (r"\textbackslash{}\&\%\$\#\_\{\}\textasciitilde{}\textasciicircum{}")


def high(blocks: int, rows: int, published: bool) -> Table:
    """As wide as twelve data sets and an average."""
    quote = Quote(value=61.4, digits=1, source="s", backbone="b", dataset="d", method="m") if published else None
    cell = TableCell(mean=100.0, std=10.1, n=3, quote=quote, difference=38.6 if published else None)
    columns = tuple(f"Data set {i}" for i in range(13))
    names = [(f"Block {i}", f"Block {i}: Method {j}") for i in range(blocks) for j in range(rows)]
    said = {"title": "High", "caption": "", "paper": "A", "venue": "B", "scale": "paper", "selection": "best"}
    return Table(
        **{"id": "high", "corner": "Method", "columns": columns, "rows": tuple(name for _, name in names)} | said,
        groups=tuple(block for block, _ in names),
        cells=tuple((cell.model_copy(update={"best": j == 1, "second": j == 2}),) * 13 for j in range(len(names))),
        notes=("A long note. " * 40,) * 30,
    )


def test_what_is_higher_than_a_page_is_cut_between_blocks():
    text = latex.latex(high(3, 13, published=False))
    assert text.count(r"\begin{table}") == 2
    assert "(part 2 of 2)" in text
    assert text.count("Block 2 &") == 1 and text.index("Block 2 &") > text.index("part 2 of 2")


def test_a_block_that_is_higher_than_a_page_is_cut_within():
    text = latex.latex(high(1, 40, published=True))
    assert text.count(r"\begin{table}") == 3
    assert all(f"Method {j} &" in text for j in range(40))


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
@pytest.mark.slow
def test_it_compiles_and_fits_on_a_page(table, tmp_path):
    mini = build(world.planned(comparable=False), world.metrics(), world.published(tmp_path), {})
    hostile = table.model_copy(update={"title": r"50 % of A_b & \c {d} # ^ ~ $ ± λ × – < >", "rows": ("a_b", "c & d")})
    tables = (table, mini, hostile, high(3, 13, False), high(3, 13, True), high(1, 60, True))
    if not subprocess.run(["kpsewhich", "siunitx.sty"], capture_output=True).stdout:
        pytest.skip("this LaTeX lacks siunitx")
    head = r"\documentclass{article}\usepackage{booktabs,graphicx,siunitx}\begin{document}"
    (tmp_path / "page.tex").write_text(head + "\n" + "".join(map(latex.latex, tables)) + r"\end{document}")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "too large" not in done.stdout and "Overfull" not in done.stdout, done.stdout
