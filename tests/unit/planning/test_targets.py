"""Targets: what stands behind each, and what a slip is told."""

import pytest

from papertables.base.errors import UserError
from papertables.planning.plan import Plan
from papertables.planning.targets import NAMES, asked, named
from tests.unit.plans import plan_of


def mini() -> Plan:
    return plan_of(scale="mini")


def test_nothing_named_is_what_is_configured():
    assert asked(mini(), ()) == dict.fromkeys(mini().selected, True)
    assert asked(mini(), ("configured",)) == asked(mini(), ())


def test_names():
    assert asked(mini(), ["attrvr_table2", "attrvr_table1"]) == {"attrvr_table1": True, "attrvr_table2": True}
    assert set(asked(mini(), ["blm"])) == {id for id in mini().artefacts if id.startswith("blm_")}
    assert asked(mini(), ["fetch"]) == dict.fromkeys(mini().selected, False)
    assert asked(mini(), ["plan"]) == asked(mini(), ["pretrain_mini"]) == {}
    assert set(NAMES) < set(named(mini()))


@pytest.mark.slow
@pytest.mark.parametrize("scale", ["mini", "paper"])
def test_files(scale):
    plan = plan_of(scale=scale)
    assert asked(plan, [f"results/{scale}/tables/attrvr/table1.md"]) == {"attrvr_table1": True}
    assert asked(plan, [f"results/{scale}/figures/smm/figure4.json"]) == {"smm_figure4": True}
    assert asked(plan, [f"results/{scale}/index.html"]) == dict.fromkeys(plan.selected, True)
    job = plan.jobs_for("attrvr_shots")[0]
    assert asked(plan, [plan.paths.job(job.id)]) == {job.artefact: True}
    assert asked(plan, [plan.paths.manifest(job.dataset)]).popitem()[1] is False
    planned = plan.artefacts["attrvr_embeddings"]
    run = plan.inspected(planned)[0]
    assert asked(plan, [plan.paths.inspection(run.id, planned.selection, "test")])["attrvr_embeddings"]
    search = plan.artefacts["atprompt_table3"].searches[0]
    assert asked(plan, [plan.paths.search(search)])["atprompt_table3"]


def test_every_data_set_may_be_prepared_alone():
    assert asked(mini(), [mini().paths.manifest("dtd"), mini().paths.split("dtd")]) == {}


@pytest.mark.slow
def test_what_is_downloaded_is_a_target_where_it_is_needed():
    assert asked(plan_of(scale="paper"), [plan_of(scale="paper").paths.weights("clip_vit_b16")])
    with pytest.raises(UserError, match="nothing makes such a file"):
        asked(mini(), [plan_of(scale="paper").paths.weights("clip_vit_b16")])


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("attrvr_tabel1", "unknown target 'attrvr_tabel1' (did you mean 'attrvr_table1'?): choose from configured"),
        ("attrvr_table99", "unknown target 'attrvr_table99' (did you mean 'attrvr_table2'?)"),
        ("AttrVR", "unknown target 'AttrVR' (did you mean 'attrvr'?)"),
        ("table", "unknown target 'table' (did you mean '"),
        ("results/huge/tables/attrvr/table1.md", "unknown scale 'huge' (did you mean '"),
        ("results/paper/tables/attrvr/table1.md", "belongs to scale paper: add --config scale=paper"),
        ("results/mini/tables/attrvr/nothing.md", "(did you mean 'results/mini/tables/attrvr/"),
        ("results/mini/tables/attrvr/table1.mdd", "(did you mean 'results/mini/tables/attrvr/table1.md'?)"),
        ("results/mini/tables/smm/figure4.md", "nothing makes such a file; targets are files, or one of configured"),
        ("results/mini/jobs/nothing.jsonl", "(did you mean 'results/mini/jobs/"),
        ("results/mini/data/mini_digitz/manifest.json", "nothing makes such a file"),
        ("attrvr_backbone_rn101", "scale mini has nothing for backbone 'clip_rn101': add --config scale=paper"),
        ("README.md", "unknown target 'README.md'"),
    ],
)
def test_slips(target, says):
    with pytest.raises(UserError) as error:
        asked(mini(), ["blm", target])
    assert says in str(error.value)
    assert "\n" not in str(error.value)
