from pathlib import Path

import pytest

from papertables.schema import MODELS, schema

FOLDER = Path(__file__).parents[3] / "docs" / "schema"


@pytest.mark.parametrize("name", MODELS)
def test_committed_schema_is_that_of_the_model(name):
    mend = "make it anew: python -m papertables.schema docs/schema"
    assert (FOLDER / f"{name}.json").read_text() == schema(name), mend


def test_no_other_schema_lies_there():
    assert {path.stem for path in FOLDER.glob("*.json")} == set(MODELS)
