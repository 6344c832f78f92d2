"""Whatever a person declares as a label stands in every format as it was written."""

import html
import io
import re

import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from papertables.artefacts import latex, render
from papertables.artefacts.figures import style
from papertables.artefacts.table import Table, TableCell
from papertables.commands import terminal

LABELS = [
    "$x_1$ and $y$",
    "a & b &amp; &#42;",
    "_under_ and __two__",
    "100 % of 50%",
    "<script>alert(1)</script>",
    "[0] first",
    "[link](https://example.org)",
    "![image](x.png)",
    "* star",
    "*star*",
    "- minus",
    "+ plus",
    "1. one",
    "2) two",
    "---",
    "===",
    "# heading",
    "> quote",
    "a | b",
    r"back\slash \n \textbf{x} \\",
    "~~gone~~",
    "`code`",
    "{braces} ^ ~",
    "[bold]rich[/bold]",
    "{{ jinja }} {% if %}",
    "quotes \" and '",
]


def table(label: str) -> Table:
    cells = [(TableCell(mean=1.0, n=1), TableCell(text=label))]
    said = {"title": label, "caption": label, "paper": label, "venue": label, "notes": (label,), "sources": (label,)}
    names = {"rows": (label,), "columns": ("plain", label), "failures": (label,)}
    return Table(id="attrvr_x", scale="mini", selection="best", corner="Method", cells=cells, **said, **names)


def texts(page: str) -> list[str]:
    """The texts between tags."""
    return [" ".join(html.unescape(text).split()) for text in re.split(r"<[^>]*>", page) if text.strip()]


@pytest.mark.parametrize("label", LABELS)
def test_markdown(label):
    page = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(render.markdown(table(label)))
    assert texts(page).count(" ".join(label.split())) == 8  # title, caption, row, column, cell, failure, note, source
    assert "<em>" not in page and "<script" not in page and "<a " not in page and "<hr" not in page
    assert "$" not in re.sub(r"\\\$", "", render.markdown(table(label)))


@pytest.mark.parametrize("label", LABELS)
def test_html(label):
    page = render.html(table(label))
    assert texts(page).count(" ".join(label.split())) >= 6
    assert "<script" not in page


@pytest.mark.parametrize("label", LABELS)
def test_latex(label):
    made = latex.latex(table(label))
    row = next(line for line in made.splitlines() if "1.0" in line)
    assert not row.startswith(("[", "*"))
    bare = re.sub(r"\\[&%$#_{}\\]|\$(<|>|-)\$|\\text\w+\{\}", "", row)
    assert bare.count("&") == 2 and "%" not in bare and "$" not in bare and "#" not in bare and "_" not in bare
    assert bare.count("{") == bare.count("}")


@pytest.mark.parametrize("label", LABELS)
def test_terminal(label, tmp_path):
    file = tmp_path / "x.json"
    file.write_text(table(label).model_dump_json())
    console = Console(width=terminal.UNLIMITED, highlight=False, file=io.StringIO())
    terminal.show_table(console, file)
    assert console.file.getvalue().count(label) >= 6


@pytest.mark.slow
@pytest.mark.parametrize("label", LABELS)
def test_figures(label):
    with style.style():
        figure = style.blank(3, 2, label)
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], label=style.in_legend(label))
        axes.set_title(label)
        shown = figure.legend()
        style.render(figure)
    assert [text.get_text().strip() for text in shown.get_texts()] == [label]
    assert not axes.title.get_parse_math()


def test_several_lines_are_one():
    made = table("a\n\nb")
    assert "a b" in render.markdown(made) and "a\n" not in render.markdown(made)
    assert r"\caption{a b." in latex.latex(made)
