"""How far something is, on a terminal and in logs."""

import sys
from typing import TextIO

from tqdm import tqdm


def bar(title: str, total: int, done: int, unit: str, terminal: TextIO | None = None) -> tqdm:
    """A bar on a terminal; in a log a line now and then, without carriage returns. terminal: the stream that may be
    one; None: the error stream."""
    stream = terminal or sys.stderr
    log = {"mininterval": 60, "file": Lines(), "ascii": True, "ncols": 100}
    settings = {"mininterval": 0.2, "file": stream} if stream.isatty() else log
    return tqdm(total=total, initial=done, desc=title, unit=unit, **settings)


class Lines:
    """A file for tqdm that puts every state of the bar on a line of its own."""

    def write(self, text: str) -> None:
        text = text.strip("\r\n")
        if text.strip():
            print(text, file=sys.stderr)

    def flush(self) -> None:
        sys.stderr.flush()
