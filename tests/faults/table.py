"""The tables of docs/reliability.md: a row for each fault that a test of this folder tries.

``python -m tests.faults`` writes them anew.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
ROWS: dict[str, list[tuple[str, ...]]] = defaultdict(list)  # by heading; the first row is the table's head
HEAD = ("tried", "ended")


def fault(heading: str, tried: str, ended: str) -> Callable:
    """Marks the test that tries a fault; what the row says of its end is what the test asserts."""
    rows = ROWS[heading]
    rows += [(tried, ended)] if rows else [HEAD, (tried, ended)]
    return lambda test: test


def matrix(heading: str, corner: str, ends: Mapping[str, Mapping[str, str]]) -> Callable:
    """Marks the test that tries every column on every row."""
    columns = next(iter(ends.values())).keys()
    ROWS[heading] = [(corner, *columns), *((row, *(each[column] for column in columns)) for row, each in ends.items())]
    return lambda test: test


def page() -> str:
    """The document with the tables as the tests have them, each the last thing under its heading."""
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        import_module(f"{__package__}.{path.stem}")
    text = PAGE.read_text("utf-8")
    for heading, rows in ROWS.items():
        head, *others = [f"| {' | '.join(row)} |\n" for row in rows]
        table = "".join([head, "|---" * len(rows[0]), "|\n", *others])
        old = rf"(^## {re.escape(heading)}\n.*?)^\| {rows[0][0]} \|[^\n]*\n(\|[^\n]*\n)*"
        place = re.compile(old, re.MULTILINE | re.DOTALL)
        text, found = place.subn(lambda match, table=table: match[1] + table, text, count=1)
        assert found, f"docs/reliability.md has no table under '{heading}'"
    return text
