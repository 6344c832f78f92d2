"""Every artefact renders, at a reduced size."""

import json

import pandas as pd
import pytest
import yaml
from PIL import Image

from papertables.plan import FORMATS, make_plan
from tests.workflow.conftest import REPOSITORY

pytestmark = pytest.mark.xdist_group("world")
CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
ARTEFACTS = make_plan(REPOSITORY, CONFIG).artefacts


@pytest.fixture(scope="module")
def everything(world):
    world.run(config=("artefacts=all",))
    return world


@pytest.mark.parametrize("id", ARTEFACTS)
def test_artefact_is_whole(everything, id):
    artefact = ARTEFACTS[id].artefact
    stem = everything.results / f"{artefact.kind}s" / artefact.paper / id.removeprefix(f"{artefact.paper}_")
    for suffix in FORMATS[artefact.kind]:
        assert stem.with_name(f"{stem.name}.{suffix}").stat().st_size > 0
    assert not pd.read_csv(stem.with_name(f"{stem.name}.csv")).empty
    described = json.loads(stem.with_name(f"{stem.name}.json").read_text())
    assert described["title"] == artefact.title
    assert described["notes"]
    if artefact.kind == "figure":
        with Image.open(stem.with_name(f"{stem.name}.png")) as image:
            assert image.width >= 3.3 * 300  # pixels of a column


def test_index_lists_every_artefact(everything):
    page = (everything.results / "index.html").read_text()
    for planned in ARTEFACTS.values():
        assert f'id="{planned.artefact.id}"' in page


def test_an_artefact_that_the_scale_cannot_make_is_said_so(everything):
    printed = everything.run(config=("artefacts=[attrvr_backbone_rn101]",), check=False)
    assert "has nothing for backbone 'clip_rn101'" in printed
