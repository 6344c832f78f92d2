"""What an artefact says in one line, read from the JSON file beside it; needs no more than Snakemake brings."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from papertables.base.seals import read_sealed
from papertables.planning.published import AVERAGE

MOST = 3  # blocks that are named


def in_short(file: Path) -> str:
    """``attrvr_table1 is made: AttrVR 71.2 on average, published 77.7``; of a figure, and of a table in which nothing
    is best, its title."""
    record = read_sealed(file)
    said = [*_leaders(record)] if record.get("cells") else []
    more = f" and {len(said) - MOST} more" if len(said) > MOST else ""
    return f"{record['id']} is made: {'; '.join(said[:MOST]) or record['title']}{more}"


def _leaders(table: Mapping) -> Iterator[str]:
    """Of each block the best average; where there is none, the row that is best in most columns."""
    rows, columns, cells = table["rows"], table["columns"], table["cells"]
    if AVERAGE in columns:
        place = columns.index(AVERAGE)
        for row, line in zip(rows, cells, strict=True):
            if (cell := line[place])["best"] or (len(rows) == 1 and cell["mean"] is not None):
                published = f", published {cell['quote']['value']:.1f}" if cell["quote"] else ""
                yield f"{row} {cell['mean']:.1f} on average{published}"
        return
    if len(rows) == 1:
        means = {column: cell["mean"] for column, cell in zip(columns, cells[0], strict=True)}
        yield from (f"{column} {mean:.1f}" for column, mean in means.items() if mean is not None)
        return
    best = Counter(row for row, line in zip(rows, cells, strict=True) for cell in line if cell["best"])
    if best:
        (row, count), *_ = best.most_common(1)
        yield f"{row} is best in {count} of {len(columns)}"
