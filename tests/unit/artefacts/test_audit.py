"""The audit of published numbers, and harmonic means."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from papertables.artefacts import computed, figures, render
from papertables.artefacts.outcomes import Outcome, average_of, of_halves
from papertables.attributes.anchors import anchor_sets, anchors
from papertables.base.errors import UserError
from papertables.data.catalog import datasets
from papertables.results.searches import SearchResult, all_combinations
from papertables.specs.spec import SearchSpec
from tests.unit.plans import REPOSITORY, plan_of

pytestmark = pytest.mark.slow  # whole plans of the paper scale


def mini_plan():
    return plan_of(scale="mini")


def paper_plan():
    return plan_of(scale="paper")


def computed_table(plan, id: str, searches: tuple[str, ...] = ()):
    planned = plan.artefacts[id]
    return computed.build(planned, replace(plan.inputs.artefact(planned), searches=searches))


@pytest.fixture(scope="module")
def audit():
    return computed_table(paper_plan(), "atprompt_audit")


def found(audit) -> dict[str, tuple[float, ...]]:
    return {
        row: tuple(round(cell.mean, 2) for cell in cells) for row, cells in zip(audit.rows, audit.cells, strict=True)
    }


def test_it_finds_what_is_known_to_be_wrong(audit):
    wrong = found(audit)
    assert wrong["ATPrompt T2: CoCoOp+ATPrompt, Average(target), acc"] == (66.59, 66.12, 0.47)
    assert wrong["ATPrompt T2: MaPLe+ATPrompt, Average(target), acc"] == (66.75, 66.39, 0.36)
    harmonic = [name for name in wrong if name.startswith("ATPrompt T1:") and name.endswith("hm")]
    assert len(harmonic) == 3
    assert all("PromptKD" in name for name in harmonic)


def test_it_says_how_many_it_checked_in_every_table(audit):
    assert any("ATPrompt T4 (table4): 6 checked, 6 follow." in note for note in audit.notes)
    assert any(note.startswith("SMM T1") for note in audit.notes)
    assert "66.12" in render.markdown(audit)


def test_a_changed_number_is_found(tmp_path):
    """No list of known mistakes: the same numbers with one average altered give one more line."""
    source = REPOSITORY / "workflow" / "papers"
    for paper in ("atprompt", "smm"):
        shutil.copytree(source / paper / "published", tmp_path / paper / "published")
    planned = paper_plan().artefacts["atprompt_audit"]
    files = replace(paper_plan().inputs.artefact(planned), published_folder=str(tmp_path / "atprompt" / "published"))
    before = computed.build(planned, files)
    table = tmp_path / "smm" / "published" / "table1.csv"
    lines = table.read_text().splitlines()
    row = next(i for i, line in enumerate(lines) if ",Average,Pad,acc," in line)
    fields = lines[row].split(",Average,Pad,acc,")
    lines[row] = ",Average,Pad,acc,".join([fields[0], "9" + fields[1]])
    table.write_text("\n".join(lines) + "\n")
    after = computed.build(planned, files)
    assert set(after.rows) - set(before.rows) == {"SMM T1: Pad, Average, acc"}


def test_a_harmonic_mean_is_that_of_the_means():
    base, new = Outcome({1: 80.0, 2: 60.0}), Outcome({1: 40.0, 2: 60.0})
    both = of_halves(base, new)
    assert both.mean == pytest.approx(2 * 70 * 50 / 120)
    assert both.values == {1: pytest.approx(2 * 80 * 40 / 120), 2: 60.0}
    other = of_halves(Outcome({1: 90.0, 2: 90.0}), Outcome({1: 90.0, 2: 90.0}))
    average = average_of([both, other])
    assert average.mean == pytest.approx(2 * 80 * 70 / 150)  # of the averages 80 and 70


def test_a_harmonic_mean_needs_both_halves():
    assert of_halves(Outcome({1: 80.0}), Outcome({}, "†")) == Outcome({}, "†", (Outcome({1: 80.0}), Outcome({}, "†")))
    assert of_halves(Outcome({}), Outcome({})).mean is None


def result(spec: SearchSpec, winner: int = 0) -> SearchResult:
    combinations = all_combinations(spec.bases, spec.sizes)
    others = len(combinations) - 1
    last = tuple(0.6 if i == winner else 0.4 / others for i in range(len(combinations)))
    return SearchResult(
        spec=spec,
        combinations=combinations,
        weights=(last,) * spec.epochs,
        train_loss=(0.5,) * spec.epochs,
        validation_loss=(0.5,) * spec.epochs,
        seconds=1.0,
        data="d0",
        backbone="b0",
    )


def searched(folder: Path, plan, id: str, winner: int) -> tuple[str, ...]:
    """The files of what the artefact's searches found."""
    found = []
    for spec in plan.artefacts[id].searches:
        found.append(folder / plan.paths.search(spec))
        found[-1].parent.mkdir(parents=True, exist_ok=True)
        found[-1].write_text(result(spec, winner).model_dump_json())
    return tuple(map(str, found))


def test_what_a_search_found_stands_beside_what_was_published(tmp_path):
    place = anchors("mini_signs").bases.index("shape")
    table = computed_table(mini_plan(), "atprompt_table12", searched(tmp_path, mini_plan(), "atprompt_table12", place))
    rows = dict(zip(table.rows, table.cells, strict=True))
    assert [cell.text for cell in rows["OxfordPets"]][1] == "(playfulness, energy)"
    signs = [cell.text for cell in rows["Signs"]]
    assert signs[2:] == ["(shape) × 3", "0.60", "3 of 3", "3 of 3"]
    assert "(shape) × 3" in render.markdown(table)
    assert any("found a true one" in note for note in table.notes)


def test_weights_of_the_paper_stand_beside_ours(tmp_path):
    table = computed_table(paper_plan(), "atprompt_table13", searched(tmp_path, paper_plan(), "atprompt_table13", 0))
    (cell,) = dict(zip(table.rows, table.cells, strict=True))["(shape)"]
    assert (cell.mean, cell.quote.value, cell.n) == (pytest.approx(0.6), 0.298, 3)
    assert "31 of 31 cells have a published number." in table.notes
    small = computed_table(mini_plan(), "atprompt_table13", searched(tmp_path, mini_plan(), "atprompt_table13", 0))
    assert not small.compares
    assert len(small.published.rows) == 31
    assert "The published table follows below. It has numbers in 31 of 31 cells." in small.notes


def test_the_figure_of_a_search_shows_the_heaviest(tmp_path):
    planned, searches = mini_plan().artefacts["atprompt_search"], searched(tmp_path, mini_plan(), "atprompt_search", 2)
    figures.write(planned, {}, replace(mini_plan().inputs.artefact(planned), searches=searches), tmp_path / "search")
    lines = (tmp_path / "search.csv").read_text().splitlines()
    heaviest = max(lines[1:], key=lambda line: float(line.rpartition(",")[2]))
    assert f"({planned.searches[0].bases[2]})" in heaviest
    assert (tmp_path / "search.png").stat().st_size > 10_000


def test_every_data_set_with_attributes_is_known():
    assert set(anchor_sets()) <= set(datasets())
    for entry in anchor_sets().values():
        assert set(entry.chosen) <= set(entry.bases)
        assert set(entry.actual) <= set(entry.bases)
    with pytest.raises(UserError, match="no attributes are known for 'svhn'"):
        anchors("svhn")
