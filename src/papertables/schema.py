"""Writes the JSON schemas of what a person or the program writes: ``python -m papertables.schema docs/schema``."""

import json
import sys
from pathlib import Path

from pydantic import JsonValue

from papertables.attributes.anchors import AnchorSet
from papertables.attributes.catalog import AttributeSource
from papertables.backbones.catalog import Backbone
from papertables.data.catalog import Dataset
from papertables.data.own import OwnDataset
from papertables.results.metrics import Metrics
from papertables.specs.artefact import Artefact
from papertables.specs.claims import Claims
from papertables.specs.config import Config
from papertables.specs.language_models import LanguageModel
from papertables.specs.paper import Paper
from papertables.specs.scale import Scale
from papertables.specs.spec import Model

MODELS: dict[str, type[Model]] = {
    "config": Config,
    "scale": Scale,
    "paper": Paper,
    "artefact": Artefact,
    "claims": Claims,
    "dataset": OwnDataset,
    "llm": LanguageModel,
    "metrics": Metrics,
}
CATALOGS: dict[str, type[Model]] = {  # files of entries by name
    "datasets": Dataset,
    "backbones": Backbone,
    "attributes": AttributeSource,
    "anchors": AnchorSet,
}
PLACED = {  # what follows from where a file lies
    "scale": ("name",),
    "paper": ("id",),
    "artefact": ("id", "paper"),
    "dataset": ("id",),
    "llm": ("id",),
}


def schema(name: str) -> str:
    """The schema of one kind of file as text."""
    if name in CATALOGS:
        entry = _without(CATALOGS[name].model_json_schema(), ("id",))
        definitions = {"$defs": entry.pop("$defs")} if "$defs" in entry else {}
        found = definitions | {"type": "object", "additionalProperties": entry}
    else:
        found = _without(MODELS[name].model_json_schema(), PLACED.get(name, ()))
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def write_schemas(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*MODELS, *CATALOGS):
        (folder / f"{name}.json").write_text(schema(name), "utf-8")


def _without(made: dict[str, JsonValue], keys: tuple[str, ...]) -> dict[str, JsonValue]:
    """A schema without keys that nobody writes."""
    properties = {key: value for key, value in made["properties"].items() if key not in keys}
    required = [key for key in made.get("required", ()) if key not in keys]
    return made | {"properties": properties, "required": required}


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
