"""The page that lists what was made."""

import base64
import os
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import pandas as pd

from papertables.artefacts.figures.sources import FigureRecord
from papertables.artefacts.render import read, templates
from papertables.base.files import write_atomic
from papertables.base.seals import read_model, read_sealed
from papertables.results.metrics import CHANGED
from papertables.specs.config import Config, Scale

FORMATS = {".html": "HTML", ".md": "Markdown", ".csv": "CSV", ".tex": "LaTeX"}
DOTS_PER_INCH, SHOWN_PER_INCH = 300, 128  # of figures; a page of 7 inches is shown 896 pixels wide
FIGURE_FORMATS = {".pdf": "PDF", ".png": "PNG", ".csv": "CSV"}


def write_index(path: Path, artefacts: Iterable[Path], runs_csv: Path, scale: Scale, config: Config) -> None:
    """A page without any reference to the network.

    artefacts: the JSON files that ``render.write`` and ``figures.write`` left, in the order in which they are to be
    shown.
    """
    folder = path.parent
    entries = [_entry(file, folder) for file in artefacts]
    runs = pd.read_csv(runs_csv).drop_duplicates("run")
    text = (
        templates()
        .get_template("index.html")
        .render(
            entries=entries,
            scale=scale,
            facts=_facts(config, runs, dict.fromkeys(said for entry in entries for said in entry["what"].subsets)),
            diverged=runs[runs["outcome"] == "diverged"].to_dict("records"),
            runs_csv=_relative(runs_csv, folder),
        )
    )
    write_atomic(path, text.encode())


def _entry(file: Path, folder: Path) -> dict[str, object]:
    """A table, or a figure with its image inside the page."""
    if "drawing" not in read_sealed(file):
        return {"what": read(file), "image": None, "links": _links(file, folder, FORMATS)}
    png = file.with_suffix(".png").read_bytes()
    width = int.from_bytes(png[16:20], "big")  # dots, where the header has them
    image = {
        "source": f"data:image/png;base64,{base64.b64encode(png).decode()}",
        "width": round(width / DOTS_PER_INCH * SHOWN_PER_INCH),
    }
    record = read_model(FigureRecord, file)
    return {"what": record, "image": image, "links": _links(file, folder, FIGURE_FORMATS)}


def _links(file: Path, folder: Path, formats: dict[str, str]) -> dict[str, str]:
    return {name: _relative(file.with_suffix(suffix), folder) for suffix, name in formats.items()}


def _relative(file: Path, folder: Path) -> str:
    return Path(os.path.relpath(file, folder)).as_posix()


def _facts(config: Config, runs: pd.DataFrame, subsets: Iterable[str]) -> dict[str, str]:
    """What the page says about how the results were made."""
    seeds = sorted(runs["seed"].dropna().astype(int).unique())
    facts = {
        "Artefacts": ", ".join(config.artefacts),
        "Seeds": ", ".join(str(seed) for seed in seeds),
        "Selection": config.selection or "as each paper does",
        "Fidelity": config.fidelity,
        "Data": "; ".join(subsets),
        "Runs": f"{len(runs)}, {_duration((runs['seconds'] / runs['group_size']).sum())} of training and scoring",
        "Device": ", ".join(runs["device"].dropna().unique()),
        "Commit": ", ".join(map(_commit, runs["git_commit"].unique())),
        "Page made": date.today().isoformat(),
    }
    return {name: value for name, value in facts.items() if value}


def _commit(name: str) -> str:
    """Ten digits of it, and whether the code was changed."""
    commit = name.removesuffix(CHANGED)
    return commit[:10] + name[len(commit) :]


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
