"""What is told of sentences, on files where it can be counted by hand."""

from pathlib import Path

import pytest

from papertables.artefacts.computed import attribute_report, build
from papertables.attributes.sampling import Sentences
from tests.unit.plans import plan_of

LONG = "It has long whiskers and soft fur"


def files(**texts: list[str]) -> tuple[Sentences, Sentences]:
    return Sentences(texts, Path("des")), Sentences(texts, Path("dist"))


def values(found, *others):
    return dict(
        zip((column.label for column in attribute_report.COLUMNS), attribute_report._values(found, others), strict=True)
    )


def test_what_is_counted():
    told = values(files(cat=[LONG, LONG, "A cat is no dog, it says", "short"], dog=["and it is a dog that barks"]))
    assert told["sentences per class"] == 2 and told["fewest"] == 1 and told["classes under m = 20"] == 2
    assert told["twice (%)"] == pytest.approx(20)
    assert told["own name (%)"] == pytest.approx(40) and told["another's name (%)"] == pytest.approx(20)
    assert told["by mistake (%)"] == pytest.approx(40)  # "short" begins small too


def test_shared_words():
    told = values(files(cat=["red round"], dog=["red blue"]), files(cat=["red round"], dog=["green"]))
    assert told["words of other classes (%)"] == pytest.approx(50)
    assert told["words of other sources (%)"] == pytest.approx(50)


@pytest.mark.slow
def test_every_source_has_a_row_for_every_data_set():
    plan = plan_of(sentences="own")
    planned = plan.artefacts["attrvr_attribute_report"]
    assert len(planned.sentences) == 3 * 6
    assert planned.sentences["Cloths: own"] == ("own", "mini_cloths")
    listed = plan.inputs.artefact(planned).files["sentences"]
    assert "results/attributes/own/mini_cloths_des.json" in listed


@pytest.mark.slow
def test_the_shipped_sources():
    plan = plan_of()
    planned = plan.artefacts["attrvr_attribute_report"]
    table = build(planned, plan.inputs.artefact(planned))
    assert len(table.rows) == 3 * 5 and table.rows[0] == "Cloths: GPT-3.5 (here mini)"
    assert table.cells[0][0].mean == 25
