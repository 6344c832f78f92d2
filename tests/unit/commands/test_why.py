"""Which run a name stands for."""

import pytest

from papertables.base.errors import UserError
from papertables.commands.why import named, why
from tests.unit.plans import plan_of


def test_a_run_is_named_by_its_id_or_by_a_part_that_no_other_has():
    plan = plan_of()
    id = next(iter(plan.job_of))
    assert named(plan, id).id == named(plan, id[-12:]).id == id


@pytest.mark.parametrize(
    ("name", "says"),
    [("attrvr", r"'attrvr' is part of \d+ run ids"), ("atrvr-seed1", "no run of scale mini is called")],
)
def test_other_names_are_slips(name, says):
    with pytest.raises(UserError, match=says):
        named(plan_of(), name)


def test_one_that_was_not_made_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = plan_of()
    assert why(plan, plan.run(next(iter(plan.job_of)))) == ["it was not made yet"]
