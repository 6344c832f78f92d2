"""What a cell and a published number say, in every format."""

from papertables.artefacts.compare import Quote
from papertables.artefacts.tables import Table, TableCell

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
