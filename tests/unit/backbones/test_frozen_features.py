"""What frozen towers say is made by who reads it first, and anew where it is of something else."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from papertables import NUMERICS
from papertables.backbones import frozen_features as module
from papertables.backbones.frozen_features import frozen_features, sentence_features
from papertables.base.errors import UserError
from papertables.specs.config import OwnWeights
from papertables.specs.spec import CacheKey
from tests.unit.small_world import SIDE, World, tower

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture
def kept(world, tmp_path):
    return replace(world.frozen, path=str(tmp_path / "frozen.safetensors"))


class Asked:
    """Gives the tower, and counts how often it was asked for one."""

    def __init__(self, kept):
        self.kept, self.times = kept, 0

    def __call__(self):
        self.times += 1
        return tower(self.kept)


def times(kept, read=frozen_features) -> int:
    """How often a tower is needed to read what is kept."""
    asked = Asked(kept)
    read(kept, asked)
    return asked.times


def test_they_are_made_once(kept):
    assert [times(kept), times(kept)] == [1, 0]


def test_who_comes_meanwhile_waits(kept):
    asked = Asked(kept)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: frozen_features(kept, asked), range(4)))
    assert asked.times == 1
    assert all(torch.equal(each.images, found[0].images) for each in found)


@pytest.mark.parametrize(
    "changes",
    [{"template": "A drawing of {}."}, {"source_labels": True}, {"ensemble": False}],
    ids=["template", "source labels", "ensemble"],
)
def test_what_is_asked_for_makes_them_anew(kept, changes):
    frozen_features(kept, Asked(kept))
    before = load_file(kept.path)
    assert times(replace(kept, **changes)) == 1
    assert times(kept) == 1
    assert all(torch.equal(value, before[name]) for name, value in load_file(kept.path).items())


def test_other_weights_another_reading_and_other_numerics_make_them_anew(kept, tmp_path, monkeypatch):
    frozen_features(kept, Asked(kept))
    other = tmp_path / "other.safetensors"
    save_file(
        {name: -value if value.is_floating_point() else value for name, value in load_file(kept.weights).items()}, other
    )
    assert times(replace(kept, weights=str(other))) == times(kept) == 1
    read = OwnWeights(path=kept.weights, mean=(0.5,) * 3, std=(0.5,) * 3)
    assert times(replace(kept, own_weights=read)) == times(kept) == 1
    monkeypatch.setattr(module, "NUMERICS", NUMERICS + 1)
    assert times(kept) == 1


def test_other_images_make_them_anew_and_without_any_what_is_kept_is_taken(world, kept, tmp_path):
    images = tmp_path / "images.safetensors"
    images.write_bytes(Path(kept.images).read_bytes())
    kept = replace(kept, images=str(images))
    frozen_features(kept, Asked(kept))
    images.write_bytes(world.caches[CacheKey("test", "crop", SIDE)].read_bytes()[:-1] + b"x")  # as of other images
    with pytest.raises(UserError, match="altered"):  # so they were to be made anew
        frozen_features(kept, Asked(kept))
    images.unlink()
    assert times(kept) == 0
    Path(kept.path).unlink()
    with pytest.raises(UserError, match=f"it is gone: make it with snakemake {images}"):
        frozen_features(kept, Asked(kept))


def test_a_damaged_file_is_made_again(kept, capsys):
    before = frozen_features(kept, Asked(kept))
    path = Path(kept.path)
    content = path.read_bytes()
    path.write_bytes(content[:-40])
    after = frozen_features(kept, Asked(kept))
    assert torch.equal(before.images, after.images)
    assert f"{path}: damaged" in capsys.readouterr().err


def test_other_sentences_make_theirs_anew(world, tmp_path):
    (small,) = world.sources.values()
    small = replace(small, path=str(tmp_path / "sentences.safetensors"))
    assert [times(small, sentence_features), times(small, sentence_features)] == [1, 0]
    turned = replace(small, texts=small.texts[::-1])
    assert times(turned, sentence_features) == 1
