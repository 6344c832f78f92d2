"""The files of a figure, the data behind it, its record and its looks."""

import io
import re
from dataclasses import replace

import matplotlib
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from papertables.artefacts import figures
from papertables.artefacts.figures import (
    confidence,
    curves,
    embeddings,
    evolution,
    lines,
    loss_change,
    masks,
    selection,
    sources,
    style,
    top_labels,
)
from papertables.base.errors import UserError
from papertables.base.seals import read_model
from papertables.specs.drawings import DRAWINGS
from tests.unit import artefact_world as world
from tests.unit.artefacts.figures.figure_world import (
    against_shots,
    gather,
    lines_of,
    mapped,
    masked,
    metrics_by_shots,
    paths_of,
    planned,
    points,
    store_mappings,
    vp_alone,
    with_curves,
    write,
)


@pytest.mark.slow
def test_files_have_their_size_and_the_same_bytes_again(tmp_path):
    artefact = against_shots()
    before = dict(matplotlib.rcParams)
    files = write(artefact, metrics_by_shots(artefact), tmp_path)
    again = write(artefact, metrics_by_shots(artefact), tmp_path, name="again")
    assert dict(matplotlib.rcParams) == before
    for suffix in figures.FORMATS:
        assert files[suffix].read_bytes() == again[suffix].read_bytes()
    with Image.open(files["png"]) as image:
        assert image.width == round(style.COLUMN * 300)
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert set(image.info) == {"dpi"}
    pdf = files["pdf"].read_bytes()
    assert pdf.startswith(b"%PDF") and b"CreationDate" not in pdf and b"/Type3" not in pdf
    assert b"/FontFile2" in pdf  # TrueType, embedded


@pytest.mark.slow
def test_clips_that_differ_in_the_last_bit_have_the_same_names():
    def drawn(width: float) -> bytes:
        with style.style():
            figure = Figure()
            figure.add_axes((0.1, 0.1, width, 0.4)).imshow([[0, 1], [1, 0]], aspect="auto")
            return style.render(figure)[".svg"]

    one = drawn(0.4)
    assert one == drawn(0.4 + 1e-14)
    used = set(re.findall(rb"url\(#(.*?)\)", one))
    assert used and used <= set(re.findall(rb'<clipPath id="(.*?)"', one))


@pytest.mark.slow
def test_the_csv_holds_what_is_drawn(tmp_path):
    artefact = against_shots()
    metrics = metrics_by_shots(artefact)
    frame = pd.read_csv(write(artefact, metrics, tmp_path)["csv"])
    drawn = lines_of(lines.draw(lines.collect(gather(artefact, metrics, tmp_path))).axes[0])
    for name in ("Zero-shot", "VP"):
        own = frame[frame["series"] == name]
        assert points(drawn[name]) == list(zip(own["x"], own["mean"], strict=True))
    assert frame["published"].dropna().tolist() == [61.4]
    assert frame[frame["series"] == "VP"]["std"].tolist() == pytest.approx([2**0.5] * 3, rel=1e-5)


@pytest.mark.slow
def test_the_record_says_what_the_index_needs(tmp_path):
    artefact = against_shots()
    record = read_model(sources.FigureRecord, write(artefact, metrics_by_shots(artefact), tmp_path)["json"])
    assert record.selection == "best"
    assert (record.id, record.drawing, record.venue) == ("attrvr_table1", "lines", "ICLR 2025")
    assert record.alt == (
        "Lines: accuracy in percent against Training images per class (shots) (1 to 16) for Zero-shot, VP."
    )
    assert "Hollow markers are published values." in record.notes
    assert any(note.startswith("Selection best") for note in record.notes)
    assert record.sources == ("AttrVR, T1: quoted somewhere",)


def test_notes_hold_for_the_drawing(tmp_path):
    def first_words(drawing):
        notes = sources.made_how(gather(planned(drawing), world.metrics(), tmp_path))
        return {note.split()[0] for note in notes}

    assert first_words("lines") >= {"Mean", "Selection"}
    assert "Mean" in first_words("curves") and "Selection" not in first_words("curves")
    assert "Selection" in first_words("patterns") and "Mean" not in first_words("patterns")


@pytest.mark.parametrize("count", [1, 5, 12, 20])
def test_looks_differ_in_more_than_colour(count):
    found = style.looks([f"row {number}" for number in range(count - 1)] + ["attrvr"])
    assert len({(look.colour, look.marker) for look in found}) == count
    assert found[-1].colour == style.COLOURS[0]


def test_a_method_has_one_look_in_all_figures_of_its_paper():
    methods = ["rlm", "ilm", "blm", "learned", "learned_sigmoid", "blm_fast"]
    whole = dict(zip(methods, style.looks(methods, methods), strict=True))
    average = style.looks(["average"])[0]
    assert len({(look.colour, look.marker) for look in (*whole.values(), average)}) == len(methods) + 1
    for some in (["blm_fast", "ilm"], ["learned_sigmoid"], ["blm", "average", "learned"]):
        for key, look in zip(some, style.looks(some, methods), strict=True):
            assert look == whole.get(key, average)
    assert style.looks(["smm"])[0].colour == style.looks(["blmp"])[0].colour == style.COLOURS[0]


def test_looks_of_rows_come_from_the_paper_and_the_average_is_black():
    found = style.of_rows(planned("lines"), ["Zero-shot", "VP", "Average"])
    assert list(found) == ["Zero-shot", "VP", "Average"]
    assert (found["VP"].colour, found["Average"].colour) == (style.COLOURS[2], style.COLOURS[6])


@pytest.mark.parametrize(("count", "width", "lines_of_panels"), [(1, 3.4, 1), (2, 3.4, 1), (3, 7.0, 1), (5, 7.0, 2)])
def test_panels_fill_lines(count, width, lines_of_panels):
    figure, grid = style.panels(count, 4, 1.0, "Footer.", per=2)
    assert grid.shape == (count, 2)
    assert figure.get_size_inches()[0] == width
    rows = {axes.get_subplotspec().rowspan.start for axes in grid.flat}
    assert rows == set(range(2 * lines_of_panels))
    for upper, lower in grid:
        assert lower.get_subplotspec().rowspan.start == upper.get_subplotspec().rowspan.start + 1
        assert lower.get_subplotspec().colspan == upper.get_subplotspec().colspan
    assert sum(not axes.axison for axes in figure.axes) == len(figure.axes) - 2 * count


@pytest.mark.slow
def test_no_text_is_smaller_than_seven_points(tmp_path, monkeypatch):
    artefact = against_shots()
    trained = vp_alone("evolution")
    store_mappings(trained, tmp_path)
    smm, metrics, paths = masked()
    smm = replace(smm, rows=smm.rows[1:], cells=smm.cells[2:])
    monkeypatch.setattr(sources, "read_inspection", lambda path: mapped())
    found = gather(trained, with_curves(world.metrics()), tmp_path, paths_of("vp"))
    drawn = (confidence, loss_change, top_labels, evolution, embeddings)
    made = [module.draw(module.collect(found)) for module in drawn]
    made.append(masks.draw(masks.collect(gather(smm, metrics, tmp_path, paths))))
    made += [
        lines.draw(lines.collect(gather(artefact, metrics_by_shots(artefact), tmp_path))),
        selection.draw(selection.collect(gather(planned("selection"), world.metrics(), tmp_path))),
        curves.draw(curves.collect(gather(planned("curves"), with_curves(world.metrics()), tmp_path))),
    ]
    for figure in made:
        figure.savefig(io.BytesIO())
        sizes = [each.get_fontsize() for each in figure.findobj(matplotlib.text.Text) if each.get_text().strip()]
        assert min(sizes) >= 7


@pytest.mark.slow
def test_a_search_can_be_drawn_when_nothing_has_run_yet(tmp_path):
    rows = {"vary": "dataset", "values": ["dtd"]}
    searched = replace(planned("search", rows=rows, columns=None, average=False), columns=(), cells=())
    files = write(searched, {}, tmp_path, partial=True)
    assert all(path.stat().st_size for path in files.values())


@pytest.mark.slow
@pytest.mark.parametrize("drawing", sorted(DRAWINGS.keys() - {"search"}))
def test_every_drawing_can_be_made_when_nothing_has_run_yet(drawing, tmp_path):
    artefact = against_shots() if drawing == "lines" else planned(drawing)
    with pytest.raises(UserError, match="runs are missing"):
        write(artefact, {}, tmp_path)
    files = write(artefact, {}, tmp_path, partial=True)
    assert "* not finished" in files["json"].read_text()
    assert all(path.stat().st_size for path in files.values())
