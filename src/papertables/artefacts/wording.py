"""What a cell and a published number say, in every format."""

from papertables.artefacts.compare import Quote
from papertables.artefacts.table import Table, TableCell

NOTHING = "–"


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
    std = f" ± {quote.std:,.{quote.digits}f}" if quote.std is not None else ""
    return f"{quote.value:,.{quote.digits}f}{std}"


def signed(cell: TableCell) -> str:
    """The difference as exact as the number that it is of: ``+0.1``, ``−1,024``, ``0.0``; empty where nothing was
    compared."""
    if cell.difference is None:
        return ""
    difference = round(cell.difference, cell.digits)
    return f"{difference:+,.{cell.digits}f}".replace("-", "−") if difference else f"{0:.{cell.digits}f}"


def beside(cell: TableCell) -> str:
    """``69.4 (+0.1)``: the published value and the difference; empty where nothing was published."""
    if cell.quote is None:
        return ""
    return printed(cell.quote) + (f" ({signed(cell)})" if cell.difference is not None else "")


def published_caption(table: Table) -> str:
    return f"Published numbers of this table ({table.venue}): other data and other backbones"
