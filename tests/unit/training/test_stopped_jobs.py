"""A job that is asked to end keeps what it has done, within an epoch and within a test too, and goes on from there."""

import os
import signal
from itertools import count

import numpy as np
import pytest

from papertables.base.stopping import Stopped, heed, stoppable
from papertables.results.mappings import read_mappings
from papertables.results.store import Store
from papertables.training import loop
from tests.unit.small_world import CLASSIFIER, World, mapped_spec, spec
from tests.unit.training.test_job import learners, results, same
from tests.unit.training.test_prompt_jobs import spec as prompt_spec

pytestmark = pytest.mark.slow

GROUPS = {
    "mini-vit": [
        [spec("attrvr"), spec("attrvr", 2), spec("ar")],
        [prompt_spec("coop"), prompt_spec("coop", 2)],
        [prompt_spec("maple")],
        [prompt_spec("promptsrc", mean=2), prompt_spec("promptsrc", 2, mean=2)],
    ],
    CLASSIFIER: [
        [mapped_spec("watermark", "blmp_fast", epochs=6), mapped_spec("watermark", "blm_fast", 2, epochs=6)],
        [mapped_spec("padding", "ilm", epochs=6)],
        [mapped_spec("smm", "ilm", epochs=6)],
    ],
}
EVERY = {"mini-vit": 2, CLASSIFIER: 5}  # more than the places of a mapping pass


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    return {name: World(tmp_path_factory.mktemp(name), name) for name in GROUPS}


@pytest.mark.parametrize(
    ("backbone", "group"),
    [(backbone, group) for backbone, groups in GROUPS.items() for group in groups],
    ids=lambda value: value if isinstance(value, str) else value[0].method,
)
def test_five_requests_to_end_change_no_bit(worlds, tmp_path, monkeypatch, backbone, group):
    """The signal comes again and again, at places where a job may end. A mapping pass then begins anew."""
    world = worlds[backbone]
    whole = world.train(group, tmp_path / "whole")
    places, stops, kept = count(1), 0, False

    def interrupted() -> None:
        if next(places) % EVERY[backbone] == 0 and stops < 5:
            os.kill(os.getpid(), signal.SIGTERM)
        heed()

    monkeypatch.setattr(loop, "heed", interrupted)
    while True:
        try:
            with stoppable():
                resumed = world.train(group, tmp_path / "cut")
            break
        except Stopped:
            stops += 1
            kept |= any((tmp_path / "cut" / "checkpoints").glob("*.pt"))
    assert stops == 5 and kept
    assert results(resumed) == results(whole)
    assert same(learners(tmp_path / "cut", group), learners(tmp_path / "whole", group))
    for each in group:
        one, other = (Store(tmp_path / name / "runs").mappings(each.id) for name in ("cut", "whole"))
        assert one.exists() == other.exists()
        if one.exists():
            one, other = read_mappings(one), read_mappings(other)
            assert all(np.array_equal(one[key], other[key], equal_nan=True) for key in other)


def test_who_asks_twice_means_at_once(worlds, tmp_path, monkeypatch):
    def deaf() -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(loop, "heed", deaf)
    with pytest.raises(Stopped), stoppable():
        worlds["mini-vit"].train([spec("vp")], tmp_path)
    assert not list((tmp_path / "checkpoints").glob("*.pt"))
