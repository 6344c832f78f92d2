"""Patterns, as they were learned."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from papertables.artefacts.figures import patterns
from papertables.base.errors import UserError
from papertables.results.store import Store
from tests.unit import artefact_world as world
from tests.unit.artefacts.figures.figure_world import gather, planned, store_programs


def test_patterns_show_the_watermark_around_grey(tmp_path):
    program = np.zeros((3, 224, 224), np.float32)
    program[0, 0, 5], program[1, 2, 3], program[2, 100, 100] = 2, -1, 9  # the last one is not trained
    artefact = planned("patterns")
    store_programs(artefact, tmp_path, program)
    data = patterns.collect(gather(artefact, world.metrics(), tmp_path))
    assert data.rows == ("VP",)
    assert "Without a pattern in pixels: Zero-shot." in data.notes
    image = data.patterns["VP", "DTD"].image()
    assert image[0, 5].tolist() == [1, 0.5, 0.5] and image[2, 3].tolist() == [0.5, 0.25, 0.5]
    assert (image[100, 100] == 0.5).all()
    figure = patterns.draw(data)
    assert [axes.get_title() for axes in figure.axes] == ["DTD", "EuroSAT"]
    assert [axes.get_xlabel() for axes in figure.axes] == ["±2", "±2"]
    assert figure.axes[0].get_ylabel() == "VP"
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), image)
    own = data.frame[data.frame["column"] == "DTD"]
    assert len(own) == 224**2 - 164**2
    assert own[(own["y"] == 2) & (own["x"] == 3)][["red", "green", "blue"]].to_numpy().tolist() == [[0, -1, 0]]


@pytest.mark.slow
def test_many_data_sets_of_patterns_go_into_bands():
    names = tuple(f"Set {number}" for number in range(8))
    pattern = patterns.Pattern(np.full((3, 4, 4), 0.5), np.ones((4, 4), bool), added=False)
    found = {(row, name): pattern for row in ("AR", "VP") for name in names}
    figure = patterns.draw(patterns.Patterns(found, ("AR", "VP"), names, "Scale paper."))
    shown = [axes for axes in figure.axes if axes.images]
    assert len(shown) == 16
    assert [axes.get_title() for axes in shown if axes.get_title()] == list(names)
    assert [axes.get_ylabel() for axes in shown if axes.get_ylabel()] == ["AR", "VP", "AR", "VP"]


def test_a_frame_shows_its_pixels_around_a_neutral_inside(tmp_path):
    run = world.run("vp", "dtd", 1).model_copy(update={"method": "ar", "options": {"inner": 3}})
    path = tmp_path / run.id / "learner.safetensors"
    path.parent.mkdir(parents=True)
    save_file({"last.pixels.program": np.log(np.full((3, 6, 6), 0.25 / 0.75, np.float32))}, path)
    image = patterns.read_pattern(Store(tmp_path), run, "last").image()
    inside = np.all(image == patterns.NEUTRAL, axis=-1)
    assert inside[2:5, 2:5].all() and inside.sum() == 9  # the extra pixel lies left and above
    np.testing.assert_allclose(image[~inside], 0.25, rtol=1e-6)
    with pytest.raises(UserError, match=r"learner\.safetensors: damaged .*best\.pixels\.program"):
        patterns.read_pattern(Store(tmp_path), run, "best")


def test_a_program_under_masks_is_the_whole_image():
    run = world.run("vp", "dtd", 1).model_copy(update={"method": "smm", "options": {"patch": 8}})
    assert patterns.has_program(run)
    assert not patterns.has_program(run.model_copy(update={"method": "only_mask"}))
    pattern = patterns.pattern_of(np.full((3, 6, 6), 0.25, np.float32), run)
    assert pattern.mask.all() and pattern.added and pattern.reach == 0.25
