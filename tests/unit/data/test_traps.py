"""What readers of these data sets get wrong, each tried on an archive in the published layout."""

import json
from collections.abc import Callable
from importlib.resources import files

import open_clip
import pytest
import torchvision
import yaml

from papertables.base.errors import UserError
from papertables.data import prepare as preparing
from papertables.data.catalog import CATALOG, Dataset, datasets
from papertables.data.download import fetch
from papertables.data.imagenet import imagenet_classes
from papertables.data.prepare import prepare
from papertables.data.splits import SUBSET
from papertables.data.transfer import Network
from tests.fault_server import FaultServer
from tests.rehearsal.archives import SETS
from tests.rehearsal.world import rewrite
from tests.unit.data.test_catalog import write_folders


@pytest.fixture
def split_of(tmp_path, monkeypatch) -> Callable[[str], dict]:
    """Fetches the miniature of a data set and prepares it; gives its split, and checks what its archives say."""

    def make(id: str) -> dict:
        made = SETS[id]()
        web, brought = rewrite(entry := yaml.safe_load(CATALOG.read_text())[id], made)
        entry = Dataset(id=id, **entry)
        raw = tmp_path / "raw"
        raw.mkdir()
        for name, content in brought.items():
            (raw / name).write_bytes(content)
        monkeypatch.setattr(preparing, "dataset", lambda id: entry)
        with FaultServer({url.partition("://")[2]: content for url, content in web.items()}) as server:
            fetch(entry, raw, Network({"https://": f"{server.url}/", "http://": f"{server.url}/"}, patience=1))
        prepare(id, tmp_path / "ready", raw, seed=1)
        return json.loads((tmp_path / "ready/split.json").read_text())

    return make


def classes(split: dict) -> list[str]:
    """By label, of all parts."""
    named = {label: name for part in split.values() for _, label, name in part}
    return [named[label] for label in range(len(named))]


def folders(split: dict) -> set[str]:
    return {path.removeprefix("images/").rpartition("/")[0] for part in split.values() for path, *_ in part}


@pytest.mark.slow
@pytest.mark.parametrize("id", SETS)
def test_every_set_of_the_catalog(split_of, id):
    split = split_of(id)
    assert all(split[part] for part in ("train", "test"))
    if made := SETS[id]().names:
        assert classes(split) == list(made)


def test_every_set_has_its_miniature():
    assert SETS.keys() == {id for id, entry in datasets().items() if entry.source.kind != "drawn"}


def test_classes_of_sun397_have_a_slash(split_of):
    split = split_of("sun397")
    assert folders(split) == {"a/abbey", "c/church/indoor", "c/church/outdoor", "y/youth_hostel"}
    assert classes(split)[1:3] == ["indoor church", "outdoor church"]


def test_caltech101_leaves_two_folders_out(split_of, tmp_path):
    split = split_of("caltech101")
    left_out = {"BACKGROUND_Google", "Faces_easy"}
    assert left_out <= {path.name for path in (tmp_path / "raw/101_ObjectCategories").iterdir()}
    assert not left_out & folders(split)
    assert "face" in classes(split)


@pytest.mark.slow
def test_imagenet_has_two_lists_of_names(split_of):
    """CLIP's name the classes in prompts, torchvision's the source labels of classifiers; both follow one order."""
    theirs = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.meta["categories"]
    ours = list(imagenet_classes().values())
    assert ours == list(open_clip.IMAGENET_CLASSNAMES) and len(theirs) == 1_000
    differ = [label for label in range(1_000) if ours[label].lower() != theirs[label].lower()]
    assert 100 < len(differ) < 500
    assert (ours[2], theirs[2]) == ("great white shark", "great white shark")
    assert (ours[744], theirs[744]) == ("missile", "projectile")
    assert (ours[657], theirs[657]) == ("missile", "missile")
    assert classes(split_of("imagenet")) == ["tench", "goldfish", "missile", "missile"]


@pytest.mark.slow
@pytest.mark.parametrize("id", ["imagenet_a", "imagenet_r"])
def test_two_hundred_of_a_thousand_classes(tmp_path, monkeypatch, id):
    """Labels count the classes that are there, and not ImageNet's thousand."""
    names = (files("timm.data") / "_info" / f"{id}_synsets.txt").read_text().split()
    assert len(names) == 200
    entry = datasets()[id].model_copy(update={"train": 200, "test": 200})
    monkeypatch.setattr(preparing, "dataset", lambda id: entry)
    write_folders(tmp_path / "raw" / entry.images, dict.fromkeys(reversed(names), 1))
    prepare(id, tmp_path / "ready", tmp_path / "raw", seed=1)
    split, known = json.loads((tmp_path / "ready/split.json").read_text()), imagenet_classes()
    assert [label for _, label, _ in split["test"]] == [*range(200)]
    assert classes(split) == [known[name] for name in sorted(names)]


@pytest.mark.slow
def test_folders_of_imagenetv2_are_numbers(split_of):
    """Text has 10 before 2."""
    split, known = split_of("imagenetv2"), list(imagenet_classes().values())
    assert classes(split) == [known[label] for label in (0, 1, 2, 10)]


def test_own_labels_from_one(tmp_path, monkeypatch):
    write_folders(tmp_path / "raw", {"cat": 2, "dog": 2})
    items = [[f"{name}/{number}.jpeg", label, name] for label, name in ((1, "cat"), (2, "dog")) for number in (0, 1)]
    (tmp_path / "raw" / SUBSET).write_text(json.dumps({"train": items, "val": [], "test": items}))
    with pytest.raises(UserError, match=r"labels must count from 0 without gaps, 0 is missing") as error:
        prepare("eurosat", tmp_path / "ready", tmp_path / "raw", seed=1)
    assert "\n" not in str(error.value)
