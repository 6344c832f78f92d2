"""Under a table stands what no checksum vouches for."""

import json

import pytest

from papertables.artefacts.tables import build
from papertables.artefacts.unverified import unverified_notes
from papertables.data.splits import SUBSET
from tests.unit import artefact_world as world
from tests.unit.plans import plan_of


def manifests(folder, **unverified) -> dict[str, str]:
    found = {name: folder / f"{name}.json" for name in unverified}
    for name, sources in unverified.items():
        found[name].write_text(json.dumps({"digest": "0"} | ({"unverified": sources} if sources else {})))
    return {name: str(path) for name, path in found.items()} | {"caltech101": str(folder / "not there")}


def test_images_without_a_checksum_are_named_with_their_source(tmp_path):
    files = manifests(tmp_path, dtd=[], stanford_cars=["stanford_cars.zip"], ucf101=["what you unpacked"])
    notes = unverified_notes(world.planned(), files)
    said = "No checksum vouches for the images of StanfordCars (stanford_cars.zip), UCF101 (what you unpacked)."
    assert notes == (said,)
    assert said in build(world.planned(), world.metrics(), world.published(tmp_path), {}, notes).notes


def test_a_subset_is_said_elsewhere_and_nothing_says_nothing(tmp_path):
    assert unverified_notes(world.planned(), manifests(tmp_path, dtd=[], eurosat=[SUBSET])) == ()


@pytest.mark.parametrize(
    ("made_by", "says"), [("CoOp's procedure, seed 0", True), ("split_mlai_Resisc45.json", False), (SUBSET, False)]
)
def test_a_set_that_is_cut_here_is_named(tmp_path, made_by, says):
    path = tmp_path / "resisc45.json"
    path.write_text(json.dumps({"digest": "0", "made_by": made_by}))
    notes = unverified_notes(world.planned(), {"resisc45": str(path)})
    assert any("RESISC45 has a cut of ours" in note for note in notes) == says


@pytest.mark.slow
def test_weights_without_a_whole_checksum_are_named_with_the_reason():
    planned = plan_of(scale="paper").artefacts["blm_padding"]
    said = "No checksum vouches for the weights of ResNeXt-101-32x8d (Instagram) (published with the first digits"
    assert [note.startswith(said) for note in unverified_notes(planned, {})] == [True]
