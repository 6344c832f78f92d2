"""Writes the JSON schemas of what a person or the program writes: ``python -m papertables.schema docs/schema``."""

import json
import sys
from pathlib import Path

from papertables.config import Artefact, Config, Paper, Scale
from papertables.results.metrics import Metrics
from papertables.spec import Model

MODELS: dict[str, type[Model]] = {
    "config": Config,
    "scale": Scale,
    "paper": Paper,
    "artefact": Artefact,
    "metrics": Metrics,
}


def schema(name: str) -> str:
    """The schema of one model as text."""
    return json.dumps(MODELS[name].model_json_schema(), indent=1, ensure_ascii=False) + "\n"


def write_schemas(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in MODELS:
        (folder / f"{name}.json").write_text(schema(name), "utf-8")


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
