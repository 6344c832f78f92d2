"""Reads what a person declared: config.yaml with its overrides, the scale, the papers and their artefacts."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from papertables.base.errors import UserError, unknown
from papertables.data.own import OWN_DATASETS
from papertables.planning.declarations import check_choices, check_own_datasets, check_paper, check_scale, check_sources
from papertables.planning.scope import Scope
from papertables.specs.artefact import Artefact
from papertables.specs.claims import Claim, Claims
from papertables.specs.config import Config
from papertables.specs.paper import Paper
from papertables.specs.scale import Scale
from papertables.specs.validation import parse, read

SCALES = Path("workflow", "scales")
CLAIMS = "workflow/papers/{paper}/claims.yaml"
NO_ARTEFACTS = ("protocol", "claims")  # what else is declared in a paper's folder
DECLARING = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Project:
    """Everything declared. ``papers`` and ``artefacts`` are in canonical order. claims: of each paper, by name. broken:
    by the id that they would have, why artefacts cannot be read."""

    root: Path
    config: Config
    scale: Scale
    papers: dict[str, Paper]
    claims: dict[str, dict[str, Claim]]
    artefacts: dict[str, Artefact]
    broken: dict[str, UserError]

    def scope(self, artefact: Artefact) -> Scope:
        """What an artefact is planned in: its paper at the scale."""
        return Scope(self.papers[artefact.paper], self.scale, self.config, artefact.seeds)

    def selected(self) -> list[str]:
        """The artefacts that config.yaml asks for, in canonical order, those that cannot be read behind."""
        chosen = {id for name in self.config.artefacts for id in self._expand(name)}
        return [id for id in (*self.artefacts, *self.broken) if id in chosen]

    def of_paper(self, name: str) -> list[str]:
        """The artefacts of a paper, those that cannot be read behind."""
        own = [id for id, artefact in self.artefacts.items() if artefact.paper == name]
        return [*own, *(id for id in self.broken if id.startswith(f"{name}_"))]

    def _expand(self, name: str) -> list[str]:
        if name == "all":
            return [*self.artefacts, *self.broken]
        if name == "headline":
            return [id for id, artefact in self.artefacts.items() if artefact.headline]
        if name in self.papers:
            return self.of_paper(name)
        if name in self.artefacts or name in self.broken:
            return [name]
        known = ["headline", "all", *self.papers, *self.artefacts, *self.broken]
        raise UserError(f"config: {unknown('artefact', name, known)}")


def load_project(root: Path, config: dict[str, JsonValue]) -> Project:
    """Validates the whole declaration; raises UserError with the first problem."""
    settings = parse(Config, config, "config")
    _check_suffixes((root / OWN_DATASETS).glob("*.*"))
    check_own_datasets()
    papers = _papers(root / "workflow" / "papers")
    scale = _scale(root, settings.scale)
    for paper in papers.values():
        check_paper(f"workflow/papers/{paper.id}/protocol.yaml", paper)
    check_scale(f"workflow/scales/{scale.name}.yaml", scale, papers)
    check_choices(settings, papers)
    check_sources(settings)
    artefacts, broken = _artefacts(root, papers)
    if settings.trial:
        artefacts |= _trial(settings.trial, papers, {**artefacts, **broken})
    return Project(root, settings, scale, papers, _claims(root, papers), artefacts, broken)


def scales(root: Path) -> list[str]:
    """The names of the scales that are declared."""
    return sorted(path.stem for path in (root / SCALES).glob("*.yaml"))


def _scale(root: Path, name: str) -> Scale:
    known = scales(root)
    _check_suffixes(path for path in (root / SCALES).glob("*.*") if path.stem == name)
    if name not in known:
        raise UserError(f"config: {unknown('scale', name, known)}")
    return read(Scale, root / SCALES / f"{name}.yaml", name=name)


def _check_suffixes(paths: Iterable[Path]) -> None:
    """Raises UserError for a declaration that nothing would read."""
    for path in paths:
        if path.suffix != ".yaml" and path.suffix.lower() in DECLARING:
            raise UserError(f"{path}: only files that end in .yaml are read: name it {path.stem}.yaml")


def _papers(folder: Path) -> dict[str, Paper]:
    for path in sorted(folder.glob("*/")):
        _check_suffixes(path.glob("protocol.*"))
        alone = next(path.glob("*.yaml"), None)
        if alone and not (path / "protocol.yaml").exists():
            raise UserError(f"{alone}: there is no protocol.yaml beside it, which says what its paper is")
    read_ones = [read(Paper, path, id=path.parent.name) for path in sorted(folder.glob("*/protocol.yaml"))]
    papers = {paper.id: paper for paper in sorted(read_ones, key=lambda paper: paper.order)}
    return {id: _with_search(paper, papers) for id, paper in papers.items()}


def _with_search(paper: Paper, papers: dict[str, Paper]) -> Paper:
    """The paper with how that one searches attributes whose way is its own, too."""
    if paper.searches_as is None:
        return paper
    where, known = f"workflow/papers/{paper.id}/protocol.yaml: searches_as", [id for id in papers if papers[id].search]
    if paper.searches_as not in known:
        raise UserError(f"{where}: {unknown('paper with a search', paper.searches_as, known)}")
    if paper.search:
        raise UserError(f"{where}: the paper has a search of its own: leave one of them out")
    return paper.model_copy(update={"search": papers[paper.searches_as].search})


def _claims(root: Path, papers: dict[str, Paper]) -> dict[str, dict[str, Claim]]:
    """None of a paper without a file of them."""
    paths = {id: root / CLAIMS.format(paper=id) for id in papers}
    return {id: read(Claims, path).claims if path.exists() else {} for id, path in paths.items()}


def _artefacts(root: Path, papers: dict[str, Paper]) -> tuple[dict[str, Artefact], dict[str, UserError]]:
    """Within a paper headlines first, then tables before figures, each in natural order (table2 before table10).
    And why others cannot be read."""
    artefacts: dict[str, Artefact] = {}
    broken: dict[str, UserError] = {}
    for paper in papers:
        found = []
        for path in sorted((root / "workflow" / "papers" / paper).iterdir()):
            if path.suffix.lower() not in DECLARING or path.stem in NO_ARTEFACTS:
                continue
            id = f"{paper}_{path.stem}"
            try:
                _check_suffixes([path])
                found.append(read(Artefact, path, id=id, paper=paper))
            except UserError as error:
                broken[id] = error
        found.sort(key=lambda artefact: (not artefact.headline, artefact.kind != "table", _natural(artefact.id)))
        artefacts |= {artefact.id: artefact for artefact in found}
    return artefacts, broken


def _trial(declared: dict[str, JsonValue], papers: Iterable[str], known: Iterable[str]) -> dict[str, Artefact]:
    """By its id, behind all others: so no run of theirs is its."""
    trial = parse(Artefact, declared, "config: trial")
    if trial.paper not in papers:
        raise UserError(f"config: trial: {unknown('paper', trial.paper, papers)}")
    if not trial.id.startswith(f"{trial.paper}_") or trial.id in known:
        raise UserError(f"config: trial: id: '{trial.id}' must begin with '{trial.paper}_' and be no artefact's")
    return {trial.id: trial}


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
