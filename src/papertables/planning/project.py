"""Reads what a person declared: config.yaml with its overrides, the scale, the papers and their artefacts."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from pydantic import JsonValue

from papertables.backbones.catalog import backbones
from papertables.config import Adjustment, Artefact, Config, Paper, Scale
from papertables.data.catalog import datasets
from papertables.errors import UserError, unknown
from papertables.methods.table import METHODS
from papertables.planning.scope import Scope
from papertables.spec import Images, ProtocolName, Training
from papertables.validation import parse, read

SCALES = Path("workflow", "scales")


@dataclass(frozen=True)
class Project:
    """Everything declared. ``papers`` and ``artefacts`` are in canonical order."""

    root: Path
    config: Config
    scale: Scale
    papers: dict[str, Paper]
    artefacts: dict[str, Artefact]

    def scope(self, artefact: Artefact) -> Scope:
        """What an artefact is planned in: its paper at the scale."""
        return Scope(self.papers[artefact.paper], self.scale, self.config)

    def selected(self) -> dict[str, Artefact]:
        """The artefacts that config.yaml asks for, in canonical order."""
        chosen = {id for name in self.config.artefacts for id in self._expand(name)}
        return {id: artefact for id, artefact in self.artefacts.items() if id in chosen}

    def _expand(self, name: str) -> list[str]:
        if name == "all":
            return list(self.artefacts)
        if name == "headline":
            return [id for id, artefact in self.artefacts.items() if artefact.headline]
        if name in self.papers:
            return [id for id, artefact in self.artefacts.items() if artefact.paper == name]
        if name in self.artefacts:
            return [name]
        known = ["headline", "all", *self.papers, *self.artefacts]
        raise UserError(f"config: {unknown('artefact', name, known)}")


def load_project(root: Path, config: dict[str, JsonValue]) -> Project:
    """Validates the whole declaration; raises UserError with the first problem."""
    settings = parse(Config, config, "config")
    papers = _papers(root / "workflow" / "papers")
    scale = _scale(root, settings.scale)
    for paper in papers.values():
        _check_adjustments(f"workflow/papers/{paper.id}/protocol.yaml", paper, paper.adjust)
        substitutes = (scale.papers or {}).get(paper.id)
        _check_adjustments(f"workflow/scales/{scale.name}.yaml", paper, substitutes.adjust if substitutes else ())
    _check_choices(settings, papers)
    return Project(root, settings, scale, papers, _artefacts(root, papers))


def scales(root: Path) -> list[str]:
    """The names of the scales that are declared."""
    return sorted(path.stem for path in (root / SCALES).glob("*.yaml"))


def _scale(root: Path, name: str) -> Scale:
    known = scales(root)
    if name not in known:
        raise UserError(f"config: {unknown('scale', name, known)}")
    return read(Scale, root / SCALES / f"{name}.yaml", name=name)


def _check_choices(config: Config, papers: Mapping[str, Paper]) -> None:
    """Raises UserError for a choice that no paper declares, or a value that there is not."""
    known = {name: choice for paper in papers.values() for name, choice in paper.choices.items()}
    for name, value in config.choices.items():
        if name not in known:
            raise UserError(f"config: choices: {unknown('choice', name, known)}")
        if value not in known[name].values:
            raise UserError(f"config: choices: {name}: {unknown('value', value, known[name].values)}")


def _check_adjustments(where: str, paper: Paper, adjustments: Iterable[Adjustment]) -> None:
    """Raises UserError for a name that no cell could have, so that a slip does not go unnoticed."""
    known = {"dataset": list(datasets()), "backbone": list(backbones()), "method": list(paper.methods)}
    known |= {"protocol": list(get_args(ProtocolName))}
    known |= {name: list(choice.values) for name, choice in paper.choices.items()}
    options = sorted({f"options.{name}" for method in METHODS.values() for name in method.options})
    settings = options + [f"training.{name}" for name in Training.model_fields]
    settings += [f"images.{name}" for name in Images.model_fields] + ["dataset"]
    for each in adjustments:
        for key in each.when:
            if key not in known:
                raise UserError(f"{where}: adjust: when: {unknown('key', key, known)}")
        named = [(key, name, known[key]) for key, names in each.when.items() for name in names]
        named += [("setting", ".".join(path.split(".")[:2]), settings) for path in each.set]
        named += [("dataset", each.set["dataset"], known["dataset"])] if "dataset" in each.set else []
        for key, name, names in named:
            if name not in names:
                raise UserError(f"{where}: adjust: {unknown(key, name, names)}")


def _papers(folder: Path) -> dict[str, Paper]:
    papers = [read(Paper, path, id=path.parent.name) for path in sorted(folder.glob("*/protocol.yaml"))]
    return {paper.id: paper for paper in sorted(papers, key=lambda paper: paper.order)}


def _artefacts(root: Path, papers: dict[str, Paper]) -> dict[str, Artefact]:
    """Within a paper headlines first, then tables before figures, each in natural order (table2 before table10)."""
    artefacts = {}
    for paper in papers:
        paths = [path for path in (root / "workflow" / "papers" / paper).glob("*.yaml") if path.stem != "protocol"]
        found = [read(Artefact, path, id=f"{paper}_{path.stem}", paper=paper) for path in paths]
        found.sort(key=lambda artefact: (not artefact.headline, artefact.kind != "table", _natural(artefact.id)))
        artefacts |= {artefact.id: artefact for artefact in found}
    return artefacts


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
