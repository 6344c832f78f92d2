"""Targets: what stands behind each, and what a slip is told."""

import pytest

from papertables.base.errors import UserError
from papertables.planning.targets import NAMES, asked, named
from tests.unit.plans import plan_of

MINI, PAPER = (plan_of(scale=scale) for scale in ("mini", "paper"))


def test_nothing_named_is_what_is_configured():
    assert asked(MINI, ()) == dict.fromkeys(MINI.selected, True)
    assert asked(MINI, ("configured",)) == asked(MINI, ())


def test_names():
    assert asked(MINI, ["attrvr_table2", "attrvr_table1"]) == {"attrvr_table1": True, "attrvr_table2": True}
    assert set(asked(MINI, ["blm"])) == {id for id in MINI.artefacts if id.startswith("blm_")}
    assert asked(MINI, ["fetch"]) == dict.fromkeys(MINI.selected, False)
    assert asked(MINI, ["plan"]) == asked(MINI, ["pretrain_mini"]) == {}
    assert set(NAMES) < set(named(MINI))


@pytest.mark.parametrize("plan", [MINI, PAPER], ids=["mini", "paper"])
def test_files(plan):
    scale = plan.scale.name
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
    assert asked(MINI, [MINI.paths.manifest("dtd"), MINI.paths.split("dtd")]) == {}


def test_what_is_downloaded_is_a_target_where_it_is_needed():
    assert asked(PAPER, [PAPER.paths.weights("clip_vit_b16")])
    with pytest.raises(UserError, match="nothing makes such a file"):
        asked(MINI, [PAPER.paths.weights("clip_vit_b16")])


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
        ("attrvr_backbone_rn101", "scale mini has nothing for backbone 'clip_rn101'"),
        ("README.md", "unknown target 'README.md'"),
    ],
)
def test_slips(target, says):
    with pytest.raises(UserError) as error:
        asked(MINI, ["blm", target])
    assert says in str(error.value)
    assert "\n" not in str(error.value)
