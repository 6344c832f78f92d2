"""A table as Markdown, HTML and CSV, and with its LaTeX as files; the JSON is what pages are made from."""

import re
from functools import cache
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from papertables.artefacts.latex import latex
from papertables.artefacts.notes import EPOCHS
from papertables.artefacts.table import Table, TableCell
from papertables.artefacts.wording import beside, ours, printed, published_caption, signed
from papertables.base.files import write_atomic
from papertables.base.seals import read_model, sealed_json

NEARNESS = (  # of a difference: its class, its sign and its words
    ("within", "=", "within one standard deviation of the published value"),
    ("near", "≈", "within two"),
    ("beyond", "≠", "beyond two"),
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
    """One row per cell, with exact values, those of each seed, the runs behind it and which epochs of theirs it shows;
    of methods the mean rank and the win rate of the whole row."""
    rows = []
    standings = table.standings or [None] * len(table.rows)
    for name, cells, standing in zip(table.rows, table.cells, standings, strict=True):
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
                    "selection": " ".join(cell.epochs),
                    "scale": table.scale,
                    "source": quote.source if quote else None,
                    "status": _status(cell),
                    "mean_rank": standing and standing.rank,
                    "win_rate": standing and standing.win_rate,
                    "seeds": " ".join(f"{'all' if seed is None else seed}={value:.6g}" for seed, value in cell.by_seed),
                    "runs": " ".join(cell.runs),
                }
                | ({} if cell.text is None else {"text": cell.text})
            )
    return pd.DataFrame(rows)


def _status(cell: TableCell) -> str:
    return "diverged" if "†" in cell.mark else "unfinished" if "*" in cell.mark else "finished"


def markdown(table: Table) -> str:
    def text(cell: TableCell) -> str:
        mean = f"**{in_markdown(ours(cell))}**" if cell.best else in_markdown(ours(cell))
        return mean + (f"<br>{beside(cell)}" if cell.quote else "")

    parts = [
        f"## {in_markdown(table.title)}",
        f"{in_markdown(table.paper)} ({in_markdown(table.venue)}). {table.unit}.",
    ]
    parts += [in_markdown(table.caption)] if table.caption else []
    parts += [_grid(table.corner, table.rows, table.columns, [[text(cell) for cell in row] for row in table.cells])]
    parts += ["\n".join(in_markdown(line) + "  " for line in table.failures)] if table.failures else []
    parts += ["\n".join(f"- {in_markdown(note)}" for note in table.notes)]
    if table.published:
        other = table.published
        cells = [[printed(quote) for quote in row] for row in other.quotes]
        parts += [
            f"### {in_markdown(published_caption(table))}",
            _grid(table.corner, other.rows, other.columns, cells),
        ]
    if table.sources:
        lines = [f"- {in_markdown(source)}" for source in table.sources]
        parts += ["Sources of the published numbers:", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def in_markdown(text: str) -> str:
    """As text that no Markdown takes for its own, in one line: also where a list, a heading or a rule would begin."""
    line = re.sub(r"([\\`*_\[\]<>|#$~]|&(?=#?\w+;))", r"\\\1", " ".join(text.split()))
    return re.sub(r"^(\d*)([.)]|[-+])(?=\s|$)|^(?=--|==)", r"\1\\\2", line)


def _grid(corner: str, rows: tuple[str, ...], columns: tuple[str, ...], cells: list[list[str]]) -> str:
    lines = [
        [in_markdown(name) for name in (corner, *columns)],
        [":--", *["--:"] * len(columns)],
        *([in_markdown(row), *texts] for row, texts in zip(rows, cells, strict=True)),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


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
        "signed": signed,
        "published_caption": published_caption,
        "NEARNESS": NEARNESS,
        "EPOCHS": EPOCHS,
        "glyph": {name: glyph for name, glyph, _ in NEARNESS}.__getitem__,
    }
    return environment
