"""What stands in for what a paper declares, where a scale names it and where it does not."""

import pytest

from papertables.planning.scope import Scope
from papertables.specs.scale import Substitutes
from tests.unit import artefact_world as world

OTHERS = Substitutes(
    backbones={"clip_vit_b16": "mini-rn", "clip_rn50": None}, dataset_substitutes={"dtd": "mini_cloths"}
)


def scope(named: tuple[int, ...] | None = None, configured: tuple[int, ...] | None = None, **scale) -> Scope:
    config = world.config().model_copy(update={"seeds": configured})
    return Scope(world.PAPER, world.MINI_SCALE.model_copy(update=scale), config, named)


def test_a_paper_without_an_entry_is_as_published_or_as_others_are():
    assert scope(papers={}).substitutes is None
    assert scope(papers={}, others=OTHERS).substitutes == OTHERS
    own = Substitutes(datasets=("mini_digits",))
    assert scope(papers={"attrvr": own}, others=OTHERS).substitutes == own
    assert scope(papers={}, others=OTHERS).published.substitutes is None


def test_what_a_scale_does_not_name_stays():
    found = scope(papers={}, others=OTHERS)
    assert (found.dataset("dtd"), found.dataset("eurosat")) == ("mini_cloths", "eurosat")
    assert (found.backbone("clip_vit_b16").id, found.backbone("clip_rn101").id) == ("mini-rn", "clip_rn101")
    assert found.backbone("clip_rn50") is None
    assert found.datasets == world.PAPER.datasets


@pytest.mark.parametrize(
    ("configured", "named", "scale", "found"),
    [
        (None, None, None, world.PAPER.seeds),
        (None, None, (7,), (7,)),
        (None, (5, 6), (7,), (5, 6)),
        ((1, 2), (5, 6), (7,), (1, 2)),
    ],
)
def test_seeds_are_the_configurations_the_artefacts_the_scales_or_the_papers(configured, named, scale, found):
    assert scope(named, configured, seeds=scale).seeds == found
