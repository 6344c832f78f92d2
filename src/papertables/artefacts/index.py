"""The pages of what was made: the answer at a glance, a page per paper, and all of it on one page to print."""

import base64
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from pathlib import Path

from papertables.artefacts.collect import NO_COMMIT
from papertables.artefacts.figures.sources import FigureRecord
from papertables.artefacts.render import read, templates
from papertables.artefacts.run_pages import Results, write_runs
from papertables.artefacts.table import Table
from papertables.base.files import write_atomic
from papertables.base.seals import read_model, read_sealed
from papertables.results.metrics import CHANGED, Metrics
from papertables.results.verdicts import PaperVerdicts, read_verdicts
from papertables.specs.config import Config, Selection
from papertables.specs.scale import Scale

FORMATS = {".html": "HTML", ".md": "Markdown", ".csv": "CSV", ".tex": "LaTeX", ".json": "JSON"}
DOTS_PER_INCH, SHOWN_PER_INCH = 300, 128  # of figures; a page of 7 inches is shown 896 pixels wide
FIGURE_FORMATS = {".pdf": "PDF", ".svg": "SVG", ".png": "PNG", ".csv": "CSV of its numbers"}


@dataclass(frozen=True)
class Image:
    """A figure on a page: its file, or what it holds, and how many pixels wide it is shown."""

    source: str
    width: int


@dataclass(frozen=True)
class Entry:
    """An artefact on the page of its paper. image: of a figure; inside: the same within the page itself."""

    what: Table | FigureRecord
    links: dict[str, str]
    image: Image | None = None
    inside: Image | None = None


@dataclass(frozen=True)
class PaperPage:
    """What is said of a paper. verdicts: of its claims, where there are any."""

    id: str
    entries: tuple[Entry, ...]
    verdicts: PaperVerdicts | None

    @property
    def title(self) -> str:
        return self.entries[0].what.paper

    @property
    def venue(self) -> str:
        return self.entries[0].what.venue

    @property
    def _switching(self) -> list[Table]:
        tables = (entry.what for entry in self.entries if not entry.image)
        return [table for table in tables if table.other]

    @property
    def switches(self) -> bool:
        """Whether any of its tables knows both the best and the last epoch."""
        return bool(self._switching)

    @property
    def selection(self) -> Selection:
        return self._switching[0].selection


def write_pages(folder: Path, results: Results, scale: Scale, config: Config) -> None:
    """In the folder of a scale's results ``index.html``, ``document.html`` (all on one page) and below ``pages`` a page
    per paper, the runs behind every table, and each run. None refers to the network. Verdicts are shown where there are
    any."""
    pages = folder / "pages"
    papers = [
        PaperPage(id, tuple(_entry(file, pages) for file in files), _verdicts(folder / "verdicts" / f"{id}.json"))
        for id, files in groupby(results.artefacts, key=lambda file: file.parent.name)
    ]
    subsets = dict.fromkeys(said for paper in papers for entry in paper.entries for said in entry.what.subsets)
    told = {"scale": scale, "facts": _facts(config, results.metrics.values(), subsets), "papers": papers}
    diverged = [each for _, each in sorted(results.metrics.items()) if each.diverged]
    asked_for = ", ".join(config.artefacts)
    _write(folder / "index.html", "index.html", diverged=diverged, unmade=results.unmade, asked_for=asked_for, **told)
    _write(folder / "document.html", "document.html", **told)
    for paper in papers:
        _write(pages / f"{paper.id}.html", "paper.html", paper=paper, scale=scale)
    write_runs(
        pages, results, [(paper.id, entry.what) for paper in papers for entry in paper.entries if not entry.image]
    )


def _write(path: Path, template: str, **told: object) -> None:
    write_atomic(path, templates().get_template(template).render(**told).encode())


def _verdicts(path: Path) -> PaperVerdicts | None:
    return read_verdicts(path) if path.exists() else None


def _entry(file: Path, folder: Path) -> Entry:
    """A table, or a figure. folder: of the page that shows it."""
    if "drawing" not in read_sealed(file):
        return Entry(read(file), _links(file, folder, FORMATS))
    dots = int.from_bytes(file.with_suffix(".png").read_bytes()[16:20], "big")  # where the header has the width
    width, svg = round(dots / DOTS_PER_INCH * SHOWN_PER_INCH), file.with_suffix(".svg")
    inside = f"data:image/svg+xml;base64,{base64.b64encode(svg.read_bytes()).decode()}"
    links = _links(file, folder, FIGURE_FORMATS)
    return Entry(read_model(FigureRecord, file), links, Image(_relative(svg, folder), width), Image(inside, width))


def _links(file: Path, folder: Path, formats: dict[str, str]) -> dict[str, str]:
    return {name: _relative(file.with_suffix(suffix), folder) for suffix, name in formats.items()}


def _relative(file: Path, folder: Path) -> str:
    return Path(os.path.relpath(file, folder)).as_posix()


def _facts(config: Config, runs: Collection[Metrics], subsets: Iterable[str]) -> dict[str, str]:
    """What the pages say about how the results were made."""
    seeds = sorted({run.spec.seed for run in runs if run.spec.seed is not None})
    seconds = sum(run.cost.seconds / run.cost.group_size for run in runs)
    facts = {
        "Artefacts": ", ".join(config.artefacts),
        "Seeds": ", ".join(str(seed) for seed in seeds),
        "Selection": config.selection or "as each paper does",
        "Fidelity": config.fidelity,
        "Data": "; ".join(subsets),
        "Runs": f"{len(runs)}, {_duration(seconds)} of training and scoring",
        "Device": ", ".join(dict.fromkeys(run.cost.device for run in runs)),
        "Commit": ", ".join(dict.fromkeys(_commit(run.git_commit or NO_COMMIT) for run in runs)),
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
