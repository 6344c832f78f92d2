"""Where the time of the mini scale goes: jobs and seconds by rule, read from Snakemake's benchmark files.

python benchmarks/mini_phases.py [results/mini]
"""

import sys
from pathlib import Path

import pandas as pd


def main(results: Path) -> None:
    files = sorted((results / "benchmarks").rglob("*.tsv"))
    times = [
        {
            "rule": file.relative_to(results / "benchmarks").parts[0].removesuffix(".tsv"),
            "s": pd.read_table(file).s[0],
        }
        for file in files
    ]
    frame = pd.DataFrame(times).groupby("rule").s.agg(jobs="count", seconds="sum", longest="max")
    print(frame.sort_values("seconds", ascending=False).round(1).to_string())


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "results/mini"))
