"""The claims that are shipped, and slips in them."""

import shutil

import pytest

from papertables.base.errors import UserError
from papertables.planning.plan import make_plan
from tests.unit.plans import CONFIG, REPOSITORY, plan_of

PAPERS = ("attrvr", "blm", "smm", "atprompt", "common")
FIRST = "{kind: above, artefact: attrvr_table1, of: attrvr, over: [vp, ar]}"
SLIPS = [
    (FIRST, FIRST.replace("above", "abov"), "claims.superior.holds_if"),
    (FIRST, FIRST.replace("table1", "tabel1"), "claims.superior: unknown artefact 'attrvr_tabel1'"),
    (FIRST, FIRST.replace("of: attrvr", "of: attrv"), "unknown row or column 'attrv' (did you mean 'attrvr'?)"),
    (FIRST, FIRST.replace("[vp, ar]", "[vp, arr]"), "unknown row or column 'arr'"),
    (FIRST, FIRST.replace("]}", "], at: [dtdd]}"), "attrvr_table1: at: unknown row or column 'dtdd'"),
    (FIRST, FIRST.replace("]}", "], block: rn}"), "unknown row or column 'rn.attrvr'"),
    (FIRST, FIRST.replace("]}", "], b: 3}"), "unknown key 'claims.superior.holds_if.0.b' (did you mean 'by'?)"),
    ("    place: abstract; table 1\n", "", "place is missing"),
]


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(REPOSITORY / "workflow", tmp_path / "workflow")
    shutil.copytree(REPOSITORY / "attributes", tmp_path / "attributes")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(("text", "instead", "says"), SLIPS, ids=[says for _, _, says in SLIPS])
def test_a_slip_is_one_line_that_names_the_file(copy, text, instead, says):
    path = copy / "workflow" / "papers" / "attrvr" / "claims.yaml"
    assert text in path.read_text()
    path.write_text(path.read_text().replace(text, instead, 1))
    with pytest.raises(UserError) as told:
        make_plan(copy, CONFIG)
    assert says in str(told.value)
    assert "attrvr/claims.yaml" in str(told.value)
    assert "\n" not in str(told.value)


def test_every_paper_claims_something_with_its_place():
    claims = plan_of().project.claims
    assert tuple(claims) == PAPERS
    for claim in (claim for own in claims.values() for claim in own.values()):
        assert claim.words and claim.place


@pytest.mark.slow
def test_verdicts_are_of_papers_of_which_an_artefact_is_asked_for():
    plan = plan_of(artefacts=["attrvr_table1", "blm_padding"])
    assert plan.judged == ["attrvr", "blm"]
    claimed = plan.inputs.verdicts("attrvr")
    assert [planned.artefact.id for planned, _ in claimed.artefacts] == ["attrvr_table1"]
    assert claimed.elsewhere["attrvr_ablation"] == "it is not among the artefacts that config.yaml names"


@pytest.mark.slow
def test_what_is_claimed_sets_verdicts_off(copy):
    path = copy / "workflow" / "papers" / "attrvr" / "claims.yaml"
    before = make_plan(copy, CONFIG).signatures.verdicts("attrvr")
    path.write_text(path.read_text().replace("by: 3.5", "by: 4"))
    after = make_plan(copy, CONFIG).signatures
    assert after.verdicts("attrvr") != before
    assert after.verdicts("blm") == make_plan(REPOSITORY, CONFIG).signatures.verdicts("blm")


@pytest.mark.slow
def test_gains_show_runs_of_other_artefacts_and_train_none_of_their_own():
    plan = plan_of(scale="mini")
    shown = {run.id for run in plan.artefacts["common_selection"].runs}
    assert shown == {run.id for id in ("attrvr_table1", "blm_padding", "smm_table1") for run in plan.artefacts[id].runs}
    assert not any(job.artefact in ("common_selection", "common_fidelity") for job in plan.jobs.values())


def test_an_empty_cell_has_no_runs():
    planned = plan_of(scale="paper").artefacts["common_ground"]
    empty = {(cell.row.key, cell.column.key) for cell in planned.cells if not cell.members}
    assert empty == {(f"{method}_atp", "resisc45") for method in ("coop", "cocoop", "maple", "dept", "promptsrc")}
