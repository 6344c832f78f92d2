"""The schemas under docs/schema are those of the models, and what is shipped fits them."""

import json
from pathlib import Path

import jsonschema
import pytest

from papertables.base.files import read_yaml
from papertables.schema import CATALOGS, MODELS, schema

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "docs" / "schema"
PACKAGE = ROOT / "src" / "papertables"
PAPERS = sorted((ROOT / "workflow" / "papers").glob("*/*.yaml"))
KINDS = {"protocol": "paper", "claims": "claims"}
SHIPPED = [
    ("config", ROOT / "config.yaml"),
    *(("scale", path) for path in sorted((ROOT / "workflow" / "scales").glob("*.yaml"))),
    *((KINDS.get(path.stem, "artefact"), path) for path in PAPERS),
    ("datasets", PACKAGE / "data" / "catalog.yaml"),
    ("backbones", PACKAGE / "backbones" / "catalog.yaml"),
    ("attributes", PACKAGE / "attributes" / "catalog.yaml"),
    ("anchors", PACKAGE / "attributes" / "anchors.yaml"),
    *(("llm", path) for path in sorted((PACKAGE / "attributes" / "llms").glob("*.yaml"))),
]


@pytest.mark.parametrize("name", [*MODELS, *CATALOGS])
def test_committed_schema_is_that_of_the_model(name):
    mend = "make it anew: python -m papertables.schema docs/schema"
    assert (FOLDER / f"{name}.json").read_text() == schema(name), mend


def test_no_other_schema_lies_there():
    assert {path.stem for path in FOLDER.glob("*.json")} == {*MODELS, *CATALOGS}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "path"), SHIPPED, ids=[str(path.relative_to(ROOT)) for _, path in SHIPPED])
def test_what_is_shipped_fits_its_schema(name, path):
    jsonschema.validate(read_yaml(path), json.loads(schema(name)), jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    ("name", "key"), [("scale", "name"), ("paper", "id"), ("artefact", "id"), ("artefact", "paper")]
)
def test_what_follows_from_the_place_of_a_file_is_no_key(name, key):
    assert key not in json.loads(schema(name))["properties"]
