"""One method on some data sets, without a file that declares a table of it."""

import re
from collections.abc import Iterable, Mapping

from pydantic import JsonValue

from papertables.base.errors import UserError, unknown
from papertables.planning.project import Project
from papertables.specs.paper import Paper
from papertables.specs.spec import digest

LONGEST = 100  # characters of a name, which is in those of files


def trial(
    project: Project,
    method: str,
    datasets: Iterable[str],
    backbone: str,
    paper: str | None,
    settings: Mapping[str, JsonValue],
) -> dict[str, JsonValue]:
    """The table with a row for the method and a column for each data set, by the protocol of a paper: the first that
    has the method where none is named. backbone: as papers call it, or what stands in for one at the scale."""
    chosen, datasets = _paper(project, method, paper), [*datasets]
    tower = _published(project, chosen, backbone)
    said = "".join(f"_{name}_{value}" for name, value in settings.items())
    name = re.sub(r"\W+", "_", f"{method}_on_{'_'.join(datasets)}_with_{backbone}{said}".lower())
    if len(name) > LONGEST:
        name = f"{name[:LONGEST]}_{digest([name])[:8]}"
    told = "".join(f", {name} {value}" for name, value in settings.items())
    return {
        "id": f"{chosen.id}_{name}",
        "paper": chosen.id,
        "title": f"{chosen.methods[method].label} with {backbone}{told}",
        "rows": {"vary": "method", "values": [method]},
        "columns": {"vary": "dataset", "values": datasets},
        "fixed": {"backbone": tower, **settings},
    }


def _paper(project: Project, method: str, name: str | None) -> Paper:
    if name is not None and name not in project.papers:
        raise UserError(unknown("paper", name, project.papers))
    papers = [project.papers[name]] if name else [*project.papers.values()]
    trained = {row: paper for paper in reversed(papers) for row, each in paper.methods.items() if each.method}
    if method not in trained:
        raise UserError(unknown("method", method, sorted(trained)))
    return trained[method]


def _published(project: Project, paper: Paper, backbone: str) -> str:
    """The backbone that a scale puts this one in the place of; itself where it does not."""
    substitutes = project.scale.substitutes(paper.id)
    stand_ins = substitutes.backbones if substitutes else {}
    return next((name for name, stand_in in stand_ins.items() if stand_in == backbone), backbone)
