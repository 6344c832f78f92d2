"""A table as Markdown, LaTeX, HTML and CSV, and as the JSON from which the index is made."""

import re
from functools import cache
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from papertables.artefacts.compare import Quote
from papertables.artefacts.tables import Table, TableCell
from papertables.base.files import write_atomic
from papertables.base.seals import read_model, sealed_json

NOTHING = "–"
LATEX = str.maketrans(
    {character: rf"\{character}" for character in "&%$#_{}"}
    | {character: f"{{{character}}}" for character in "[]*"}  # options, and a star, where they follow the end of a row
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {
        "±": r"$\pm$",
        "–": "--",
        "−": "$-$",
        "×": r"$\times$",
        "λ": r"$\lambda$",
        "→": r"$\to$",
        "≤": r"$\le$",
        "Δ": r"$\Delta$",
        "<": "$<$",
        ">": "$>$",
        "|": r"\textbar{}",
    }
    | {"†": r"$^\dagger$", "‡": r"$^\ddagger$", "…": r"\ldots{}", "“": "``", "”": "''", "’": "'"}
)


def write(table: Table, stem: Path) -> None:
    """``stem`` + .md, .csv, .tex, .html and .json. The same table gives the same bytes."""
    made = {
        ".md": markdown(table),
        ".csv": tidy(table).to_csv(index=False),
        ".tex": latex(table),
        ".html": html(table),
        ".json": sealed_json(table.model_dump_json(indent=1)).decode(),
    }
    for suffix, text in made.items():
        write_atomic(stem.with_name(stem.name + suffix), text.encode())


def read(path: Path) -> Table:
    """The table that ``write`` left in its JSON file; raises UserError where that is damaged."""
    return read_model(Table, path)


def tidy(table: Table) -> pd.DataFrame:
    """One row per cell, with exact values."""
    rows = []
    for name, cells in zip(table.rows, table.cells, strict=True):
        for column, cell in zip(table.columns, cells, strict=True):
            quote = cell.quote
            rows.append(
                {
                    "row": name,
                    "column": column,
                    "mean": cell.mean,
                    "std": cell.std,
                    "n": cell.n,
                    "published": quote.value if quote else None,
                    "published_std": quote.std if quote else None,
                    "difference": cell.difference,
                    "selection": table.selection,
                    "scale": table.scale,
                    "source": quote.source if quote else None,
                    "status": _status(cell),
                }
                | ({} if cell.text is None else {"text": cell.text})
            )
    return pd.DataFrame(rows)


def _status(cell: TableCell) -> str:
    return "diverged" if "†" in cell.mark else "unfinished" if "*" in cell.mark else "finished"


def ours(cell: TableCell) -> str:
    """``69.5 ± 0.2`` with the cell's marks, or words; – where there is neither."""
    if cell.text is not None:
        return cell.text
    if cell.mean is None:
        return NOTHING + cell.mark
    std = f" ± {cell.std:,.{cell.digits}f}" if cell.std is not None else ""
    return f"{cell.mean:,.{cell.digits}f}{std}{cell.mark}"


def printed(quote: Quote | None) -> str:
    """A published number with the digits that were printed."""
    if quote is None:
        return NOTHING
    return f"{quote.value:.{quote.digits}f}" + (f" ± {quote.std:.{quote.digits}f}" if quote.std is not None else "")


def signed(difference: float | None) -> str:
    """``+0.1``; empty where there is none."""
    return "" if difference is None else f"{round(difference, 1) + 0.0:+.1f}".replace("-", "−")


def beside(cell: TableCell) -> str:
    """``69.4 (+0.1)``: the published value and the difference; empty where nothing was published."""
    if cell.quote is None:
        return ""
    return printed(cell.quote) + (f" ({signed(cell.difference)})" if cell.difference is not None else "")


def published_caption(table: Table) -> str:
    return f"Published numbers of this table ({table.venue}): other data and other backbones"


def markdown(table: Table) -> str:
    def text(cell: TableCell) -> str:
        mean = f"**{_markdown(ours(cell))}**" if cell.best else _markdown(ours(cell))
        return mean + (f"<br>{beside(cell)}" if cell.quote else "")

    parts = [
        f"## {_markdown(table.title)}",
        f"{_markdown(table.paper)} ({_markdown(table.venue)}). {table.unit}.",
    ]
    parts += [_markdown(table.caption)] if table.caption else []
    parts += [_grid(table.corner, table.rows, table.columns, [[text(cell) for cell in row] for row in table.cells])]
    parts += ["\n".join(_markdown(line) + "  " for line in table.failures)] if table.failures else []
    parts += ["\n".join(f"- {_markdown(note)}" for note in table.notes)]
    if table.published:
        other = table.published
        cells = [[printed(quote) for quote in row] for row in other.quotes]
        parts += [
            f"### {_markdown(published_caption(table))}",
            _grid(table.corner, other.rows, other.columns, cells),
        ]
    if table.sources:
        lines = [f"- {_markdown(source)}" for source in table.sources]
        parts += ["Sources of the published numbers:", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def _markdown(text: str) -> str:
    """As text that no Markdown takes for its own, in one line: also where a list, a heading or a rule would begin."""
    line = re.sub(r"([\\`*_\[\]<>|#$~]|&(?=#?\w+;))", r"\\\1", " ".join(text.split()))
    return re.sub(r"^(\d*)([.)]|[-+])(?=\s|$)|^(?=--|==)", r"\1\\\2", line)


def _grid(corner: str, rows: tuple[str, ...], columns: tuple[str, ...], cells: list[list[str]]) -> str:
    lines = [
        [_markdown(name) for name in (corner, *columns)],
        [":--", *["--:"] * len(columns)],
        *([_markdown(row), *texts] for row, texts in zip(rows, cells, strict=True)),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def latex(table: Table) -> str:
    r"""A ``table`` environment; needs booktabs and graphicx. What is wider than the text is scaled down."""

    def text(cell: TableCell) -> str:
        mean = rf"\textbf{{{_latex(ours(cell))}}}" if cell.best else _latex(ours(cell))
        if not cell.quote:
            return mean
        below = rf"{{\scriptsize {_latex(beside(cell))}}}"
        return rf"\begin{{tabular}}[t]{{@{{}}c@{{}}}}{mean}\\{below}\end{{tabular}}"

    parts = [
        "% needs \\usepackage{booktabs,graphicx}",
        r"\begin{table}[t]",
        r"\centering",
        rf"\caption{{{_latex(_caption(table))}}}",
        rf"\label{{tab:{table.id}}}",
        _tabular(table.corner, table.rows, table.columns, [[text(cell) for cell in row] for row in table.cells]),
        _footnotes([*table.failures, *table.notes]),
    ]
    if table.published:
        cells = [[_latex(printed(quote)) for quote in row] for row in table.published.quotes]
        parts += [
            rf"\par\medskip {_latex(published_caption(table))}\par\smallskip",
            _tabular(table.corner, table.published.rows, table.published.columns, cells),
        ]
    parts += [_footnotes([f"Source: {source}" for source in table.sources])] if table.sources else []
    return "\n".join([*parts, r"\end{table}"]) + "\n"


def _latex(text: str) -> str:
    """In one line, for an empty one would end a paragraph."""
    return " ".join(text.split()).translate(LATEX)


def _caption(table: Table) -> str:
    parts = [table.title, table.caption, table.unit]
    return " ".join(f"{part.rstrip('.')}." for part in parts if part)


def _tabular(corner: str, rows: tuple[str, ...], columns: tuple[str, ...], cells: list[list[str]]) -> str:
    frame = pd.DataFrame(cells, index=[_latex(row) for row in rows])
    frame.columns = [_latex(column) for column in columns]
    frame = frame.rename_axis(columns=_latex(corner))
    tabular = frame.style.to_latex(hrules=True, column_format="l" + "c" * len(columns)).rstrip()
    fits = r"\ifdim\width>\linewidth\linewidth\else\width\fi"
    return f"\\resizebox{{{fits}}}{{!}}{{%\n{tabular}%\n}}"


def _footnotes(lines: list[str]) -> str:
    notes = "\\par\n".join(_latex(line) for line in lines)
    box = r"\begin{minipage}{\linewidth}\footnotesize\raggedright"
    return f"\\par\\smallskip\n{box}\n{notes}\n\\end{{minipage}}"


def html(table: Table) -> str:
    """A whole page that needs nothing else."""
    return templates().get_template("page.html").render(table=table)


@cache
def templates() -> Environment:
    """The Jinja templates of pages, which escape what they are given."""
    environment = Environment(
        loader=PackageLoader("papertables.artefacts"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals |= {
        "printed": printed,
        "beside": beside,
        "published_caption": published_caption,
    }
    return environment
