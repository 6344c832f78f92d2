r"""A table as LaTeX, to stand beside the papers' own: booktabs, siunitx, best bold, second underlined.

What is wider than the text is scaled down; what is higher than a page becomes several floats, cut between blocks where
that is possible. The notes follow as text, which breaks over pages by itself.
"""

import re
from collections.abc import Iterable, Sequence

import pandas as pd

from papertables.artefacts.table import Block, Table, TableCell
from papertables.artefacts.wording import beside, ours, printed, published_caption

NEEDS = r"% needs \usepackage{booktabs,graphicx,siunitx}"
SETUP = r"\sisetup{separate-uncertainty=true,detect-weight=true,group-separator={,},group-minimum-digits=4}"
FITS = r"\ifdim\width>\linewidth\linewidth\else\width\fi"
HIGHEST = 34  # lines of one float, with room for its caption
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
    | {"†": r"$^\dagger$", "§": r"$^\S$", "‡": r"$^\ddagger$", "…": r"\ldots{}", "“": "``", "”": "''", "’": "'"}
)


def latex(table: Table) -> str:
    r"""As ``table`` environments and a paragraph of notes; needs booktabs, graphicx and siunitx."""
    parts = _parts(table)
    columns = [*zip(*table.cells, strict=True)] if table.cells else [()] * len(table.columns)
    forms = "".join(_column(column) for column in columns)
    floats = []
    for number, part in enumerate(parts, start=1):
        which = f" (part {number} of {len(parts)})" if len(parts) > 1 else ""
        label = f"tab:{table.id}" + (f"-{number}" if number > 1 else "")
        floats.append(_float(_caption(table) + which, label, _grid(table, part, forms)))
    if table.published:
        other = table.published
        cells = [[f"{{{_latex(printed(quote))}}}" for quote in row] for row in other.quotes]
        for start in range(0, len(cells), HIGHEST):
            rows = [("", _latex(row)) for row in other.rows[start : start + HIGHEST]]
            grid = _tabular(table.corner, other.columns, rows, cells[start : start + HIGHEST], "c" * len(other.columns))
            floats.append(_float(published_caption(table), f"tab:{table.id}-published-{start}", grid))
    notes = [*table.failures, *table.notes, *(f"Source: {source}" for source in table.sources)]
    return "\n".join([NEEDS, *floats, *_paragraph(f"Table~\\ref{{tab:{table.id}}}:", notes)]) + "\n"


def _parts(table: Table) -> list[list[Block]]:
    """The blocks of each float."""
    parts: list[list[Block]] = [[]]
    room = HIGHEST
    for block in (piece for whole in table.blocks for piece in _pieces(table, whole)):
        lines = _lines(table, block)
        if lines > room and parts[-1]:
            parts.append([])
            room = HIGHEST
        parts[-1].append(block)
        room -= lines
    return parts


def _pieces(table: Table, block: Block) -> Iterable[Block]:
    """A block, or pieces of it that fit on a page."""
    most = HIGHEST // 2 if table.compares else HIGHEST
    for start in range(0, len(block.places), most):
        yield Block(block.name, block.places[start : start + most])


def _lines(table: Table, block: Block) -> int:
    return sum(1 + any(cell.quote for cell in table.cells[i]) for i in block.places)


def _grid(table: Table, blocks: Sequence[Block], forms: str) -> str:
    """A row, and below it the published numbers where it has any."""
    rows, cells = [], []
    for block in blocks:
        for i in block.places:
            name = table.rows[i].removeprefix(f"{block.name}: ") if block.name else table.rows[i]
            rows.append((_latex(block.name), _latex(name)))
            cells.append([_number(cell) for cell in table.cells[i]])
            if any(cell.quote for cell in table.cells[i]):
                rows.append((_latex(block.name), ""))
                cells.append([rf"{{\scriptsize {_latex(beside(cell))}}}" for cell in table.cells[i]])
    return _tabular(table.corner, table.columns, rows, cells, forms)


def _number(cell: TableCell) -> str:
    """For a column of siunitx, in braces where it is no plain number."""
    if cell.mean is None or cell.text is not None:
        return f"{{{_latex(ours(cell))}}}"
    number = f"{cell.mean:.{cell.digits}f}" + (rf" \pm {cell.std:.{cell.digits}f}" if cell.std is not None else "")
    mark = f" {{{_latex(cell.mark)}}}" if cell.mark else ""
    if cell.second:
        return rf"{{\underline{{\num{{{number}}}}}}}{mark}"
    return (r"\bfseries " if cell.best else "") + number + mark


def _column(cells: Sequence[TableCell]) -> str:
    """``S[table-format=2.1(2)]``: digits before and behind the point, and of the deviation."""
    numbers = [cell for cell in cells if cell.mean is not None]
    if not numbers:
        return "c"
    whole = max(len(f"{abs(cell.mean):.{cell.digits}f}".partition(".")[0]) for cell in numbers)
    negative = "-" if any(cell.mean < 0 for cell in numbers) else ""
    digits = max(cell.digits for cell in numbers)
    spreads = [len(f"{cell.std:.{cell.digits}f}".replace(".", "")) for cell in numbers if cell.std is not None]
    return f"S[table-format={negative}{whole}.{digits}{f'({max(spreads)})' if spreads else ''}]"


def _tabular(
    corner: str, columns: Sequence[str], rows: Sequence[tuple[str, str]], cells: list[list[str]], forms: str
) -> str:
    """rows: block and name. Blocks get a column of their own where there are any."""
    blocked = any(block for block, _ in rows)
    index = pd.MultiIndex.from_tuples(rows) if blocked else [name for _, name in rows]
    frame = pd.DataFrame(cells, index=index, columns=[_latex(column) for column in columns])
    frame = frame.rename_axis(columns=_latex(corner))
    made = frame.style.to_latex(
        hrules=True,
        siunitx=True,
        column_format="l" * (1 + blocked) + forms,
        multirow_align="naive",
        clines="skip-last;data" if blocked else None,
    )
    tabular = made.rstrip().replace(r"\cline{", r"\cmidrule{")
    tabular = re.sub(r"\\cmidrule\S+\n(?=\\bottomrule)", "", tabular)
    return f"\\resizebox{{{FITS}}}{{!}}{{%\n{tabular}%\n}}"


def _float(caption: str, label: str, tabular: str) -> str:
    head = [r"\begin{table}[tp]", r"\centering", SETUP, rf"\caption{{{_latex(caption)}}}", rf"\label{{{label}}}"]
    return "\n".join([*head, tabular, r"\end{table}"])


def _caption(table: Table) -> str:
    parts = [table.title, table.caption, table.unit]
    return " ".join(f"{part.rstrip('.')}." for part in parts if part)


def _paragraph(begin: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    notes = "\\par\n".join(_latex(line) for line in lines)
    return [rf"{{\footnotesize\raggedright\noindent {begin}", notes + r"\par}"]


def _latex(text: str) -> str:
    """In one line, for an empty one would end a paragraph."""
    return " ".join(text.split()).translate(LATEX)
