"""Draws the rules and what flows between them into docs/architecture.md: ``python docs/draw_flow.py``."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
SHOWING_EVERY_RULE = (
    "artefacts=[attrvr_embeddings, atprompt_table1, atprompt_table3, atprompt_table11]",
    "anchors=searched",
    "sentences=own",
    "bases=own",
)
BLOCK = re.compile(r"(?<=```mermaid\n).*?(?=```)", re.DOTALL)


def flow() -> str:
    """A Mermaid flow chart of the rules, as Snakemake sees them from a folder without results."""
    command = [sys.executable, "-m", "snakemake", "--rulegraph", "mermaid-js", "--config", *SHOWING_EVERY_RULE]
    graph = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True).stdout
    names = dict(re.findall(r"(id\d+)\[(\w+)\]", graph))
    arrows = sorted(f"    {names[start]} --> {names[end]}" for start, end in re.findall(r"(id\d+) --> (id\d+)", graph))
    return "\n".join(["flowchart LR", *arrows, ""])


if __name__ == "__main__":
    PAGE.write_text(BLOCK.sub(lambda _: flow(), PAGE.read_text("utf-8")), "utf-8")
