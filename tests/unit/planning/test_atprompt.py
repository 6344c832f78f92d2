"""ATPrompt's declarations: its hyper-parameters, which runs its artefacts share, and what each cell shows of them."""

import csv
from dataclasses import replace

import pytest

from papertables.attributes.anchors import anchors
from papertables.data.catalog import dataset
from papertables.planning.cells import plan_artefact
from papertables.planning.cost import estimate
from papertables.planning.project import NO_ARTEFACTS
from papertables.specs.spec import TRAIN_ORIGINALS, CacheKey, Target
from tests.unit.plans import REPOSITORY, plan_of

pytestmark = pytest.mark.slow  # whole plans of the paper scale

FOLDER = REPOSITORY / "workflow" / "papers" / "atprompt"
ARTEFACTS = {f"atprompt_{path.stem}" for path in FOLDER.glob("*.yaml") if path.stem not in NO_ARTEFACTS}

TRAINED = ("CoOp", "CoCoOp", "MaPLe", "DePT")
TRANSFERRED = ("CoOp", "CoCoOp", "MaPLe")
PRINTED = ("ArGue", "CoPrompt")
# The released file of settings names: its table at the start of a protocol, and the setting of a run.
TABLES = {"base-to-novel": "table1", "cross-dataset / domain generalisation (source ImageNet)": "table2"}
SCALES = ("paper", "mini")
SETTINGS = {
    "epochs": lambda run: run.training.epochs,
    "N_CTX (=N_ATT)": lambda run: run.options["context"],
    "DePT w": lambda run: run.options["weight"],
}


def lines(name):
    with (FOLDER / name).open(newline="") as file:
        return list(csv.DictReader(file))


def plan_at(scale="paper"):
    return plan_of(scale=scale, artefacts="all")


def paper():
    return plan_at().project.papers["atprompt"]


def ids(table, plan=None, method=None):
    members = [member for cell in (plan or plan_at()).artefacts[f"atprompt_{table}"].cells for member in cell.members]
    return {run.id for member in members for run in member.runs if method in (None, member.method)}


def runs_of(plan, table, row, column):
    """Of a row, whatever its block, in a column, both by their labels."""
    cells = plan.artefacts[f"atprompt_{table}"].cells
    shown = [cell for cell in cells if (cell.row.label.rpartition(": ")[2], cell.column.label) == (row, column)]
    return shown[0].members[0].runs


def first_run(table, method, name):
    """Of a method, by its label, on a data set, by its own."""
    members = [member for cell in plan_at().artefacts[f"atprompt_{table}"].cells for member in cell.members]
    return next(each.runs[0] for each in members if (each.method, each.dataset) == (method, name))


def row(table, label, plan=None):
    return [cell for cell in (plan or plan_at()).artefacts[f"atprompt_{table}"].cells if cell.row.label == label]


@pytest.mark.parametrize(
    "line",
    lines("hyperparameters.csv"),
    ids=lambda line: f"{line['protocol'][:5]}-{line['dataset']}-{line['method']}-{line['metric']}",
)
def test_anchored_rows_have_the_released_settings(line):
    run = first_run(TABLES[line["protocol"]], line["method"], line["dataset"])
    assert SETTINGS[line["metric"]](run) == float(line["value"])


def test_every_anchored_row_has_released_settings_but_one():
    def stated(protocol):
        return {
            (each["method"], each["dataset"]) for each in lines("hyperparameters.csv") if each["protocol"] == protocol
        }

    base_to_new, elsewhere = (stated(protocol) for protocol in TABLES)
    labels = [dataset(name).label for name in paper().datasets]
    every = {(f"{method}+ATPrompt", label) for method in TRAINED for label in labels}
    assert every - base_to_new == {("DePT+ATPrompt", "ImageNet")}
    assert elsewhere == {(f"{method}+ATPrompt", "ImageNet") for method in TRANSFERRED}


@pytest.mark.parametrize(
    ("method", "epochs", "batch", "rate", "context", "init"),
    [
        ("CoOp", 200, 32, 0.002, 4, "a photo of a"),
        ("CoCoOp", 10, 1, 0.002, 4, "a photo of a"),
        ("MaPLe", 5, 4, 0.0035, 2, "a photo of a"),
        ("DePT", 10, 4, 0.0035, 16, ""),
    ],
)
@pytest.mark.parametrize("name", ["ImageNet", "DTD", "EuroSAT"])
def test_plain_rows_have_their_own_settings_on_every_data_set(method, epochs, batch, rate, context, init, name):
    run = first_run("table1", method, name)
    epochs = 50 if (method, name) == ("CoOp", "ImageNet") else epochs
    assert (run.training.epochs, run.training.batch_size, run.training.optimizer.lr) == (epochs, batch, rate)
    assert (run.options["context"], run.options["init"], run.options["attributes"]) == (context, init, [])


@pytest.mark.parametrize(("method", "batch", "rate"), [("CoOp", 32, 0.002), ("CoCoOp", 1, 0.002), ("MaPLe", 4, 0.0035)])
def test_anchors_change_neither_batch_nor_rate(method, batch, rate):
    for label in (method, f"{method}+ATPrompt"):
        training = first_run("table1", label, "DTD").training
        assert (training.batch_size, training.optimizer.lr) == (batch, rate)


@pytest.mark.parametrize(
    ("method", "origin", "vanilla", "anchored"),  # epochs and tokens of each
    [("CoOp", (50, 4), (10, 4), (10, 4)), ("CoCoOp", (10, 4), (5, 4), (5, 4)), ("MaPLe", (2, 2), (3, 2), (2, 4))],
)
def test_transfer_trains_plain_rows_as_their_digits_were_or_by_atprompts_scripts(method, origin, vanilla, anchored):
    runs = [
        runs_of(plan_at(), table, row, "ImageNet")[0]
        for table, row in (
            ("table2", method),
            ("transfer_choices", f"{method} by ATPrompt's script"),
            ("table2", f"{method}+ATPrompt"),
        )
    ]
    assert [(run.training.epochs, run.options["context"]) for run in runs] == [origin, vanilla, anchored]
    if method == "MaPLe":
        assert {run.options["depth"] for run in runs} == {3}
        assert {run.training.optimizer.lr for run in runs} == {0.0026}


def test_the_configuration_chooses_the_contexts_of_a_maple_that_goes_elsewhere():
    for value, context, own in (("guide", 4, None), ("script", 2, [4, 4, 4])):
        plan = plan_of(scale="paper", artefacts="all", choices={"maple_transfer": value})
        for table in ("table2", "table4"):
            options = runs_of(plan, table, "MaPLe+ATPrompt", "ImageNet")[0].options
            assert (options["context"], options["attribute_context"]) == (context, own)
        assert runs_of(plan, "table1", "MaPLe+ATPrompt", "ImageNet")[0].options["context"] == 4


def test_the_configuration_chooses_the_recipe_of_plain_rows():
    plan = plan_of(scale="paper", choices={"recipe": "vanilla"})
    chosen = {(run.options["context"], run.training.epochs) for run in runs_of(plan, "table1", "DePT", "DTD")}
    assert chosen == {(4, 20)}
    assert runs_of(plan, "table1", "CoOp+ATPrompt", "DTD") == runs_of(plan_at(), "table1", "CoOp+ATPrompt", "DTD")


def test_the_configuration_chooses_the_settings_of_the_text():
    text = plan_of(scale="paper", choices={"anchored_settings": "text"})

    def settings(plan, row, column):
        run = runs_of(plan, "table1", row, column)[0]
        return run.options["context"], run.training.epochs, run.training.batch_size, run.options.get("weight")

    assert settings(text, "DePT+ATPrompt", "DTD") == (4, 10, 32, 0.7)
    assert settings(plan_at(), "DePT+ATPrompt", "DTD") == (4, 10, 4, 0.6)
    assert settings(text, "DePT+ATPrompt", "Caltech101") == (2, 10, 32, 0.6)
    assert settings(text, "CoOp+ATPrompt", "ImageNet") == (2, 100, 32, None)
    assert settings(text, "MaPLe+ATPrompt", "EuroSAT") == (4, 5, 4, None)
    assert runs_of(text, "table2", "CoOp+ATPrompt", "DTD") == runs_of(plan_at(), "table2", "CoOp+ATPrompt", "DTD")


def test_the_new_parts_of_dept_learn_at_a_rate_of_their_own():
    """6.5 times that of the prompt, as DePT's train.py has it; DePT+ATPrompt's trainer knows one rate."""
    rates = {part: own.optimizer.lr for part, own in first_run("table1", "DePT", "DTD").training.parts.items()}
    assert rates == dict.fromkeys(("probe", "image_film", "text_film"), 0.02275)
    assert not first_run("table1", "DePT+ATPrompt", "DTD").training.parts


def test_a_target_lends_its_attributes_where_that_is_chosen():
    def scored(row, column):
        cells = plan_at().artefacts["atprompt_transfer_choices"].cells
        (cell,) = [each for each in cells if (each.row.label, each.column.label) == (row, column)]
        return cell.members[0].scored[0].attributes

    target, source = (f"CoOp+ATPrompt, {whose}'s attributes" for whose in ("target", "source"))
    assert scored(target, "DTD") == ("pattern", "color", "design")
    assert scored(source, "DTD") == scored("CoOp", "DTD") == ()
    runs = [run.id for run in runs_of(plan_at(), "transfer_choices", target, "DTD")]
    assert runs == [run.id for run in runs_of(plan_at(), "transfer_choices", source, "DTD")]


def test_every_run_is_trained_as_dassl_does():
    for table in ("table1", "table2"):
        for run in plan_at().artefacts[f"atprompt_{table}"].runs:
            training = run.training
            assert (training.optimizer.name, training.optimizer.momentum) == ("sgd", 0.9)
            assert training.optimizer.weight_decay == 0.0005
            assert (training.schedule.name, training.schedule.warmup_epochs) == ("cosine_epoch", 1)
            assert training.schedule.warmup_lr == 0.00001
            assert training.drop_last
            if run.teacher:  # a student learns from all images, and the best of its epochs is kept
                assert run.shots is None and plan_at().tests[run.id] == 1
                continue
            assert plan_at().tests[run.id] == 0  # the last epoch alone
            assert (run.shots, run.images.fit, run.images.augmentation) == (16, "original", "resized_crop")
            assert run.fidelity.few_shot_draw == "per_seed"
            assert (run.train_cache, run.test_cache) == (TRAIN_ORIGINALS, ("test", "crop", 224))


@pytest.mark.parametrize("scale", SCALES)
def test_searches_train_on_originals_and_weigh_on_what_a_test_shows(scale):
    plan = plan_at(scale)
    for search in plan.searches.values():
        job = plan.inputs.search(search.dataset, search.backbone, search.id)
        assert job.train.endswith(f"/{search.dataset}/train-original-0.safetensors")
        part = "test" if search.dataset == "imagenet" else "val"
        assert f"/{part}-crop-" in job.val
        draws = plan.inputs.draws(search.dataset, TRAIN_ORIGINALS)
        assert (search.shots, search.draw_seed) in draws


def test_halved_shots_are_cached_as_a_test_shows_them():
    plan = plan_of(scale="paper", fidelity="repaired")
    halved = [search for search in plan.searches.values() if search.validation_images]
    assert {search.dataset for search in halved} == {"imagenet"}
    for search in halved:
        job = plan.inputs.search(search.dataset, search.backbone, search.id)
        assert job.val.endswith("/imagenet/train-crop-224.safetensors")
    assert plan.inputs.draws("imagenet", CacheKey("train", "crop", 224)) == [(16, 1), (16, 2), (16, 3)]


def test_only_data_sets_without_a_validation_part_are_searched_otherwise_by_where_their_images_are_from():
    by_rule = {}
    for rule in ("test_first", "half_of_shots", "test_sampled"):
        search = paper().search.model_copy(
            update={"validation_images": paper().search.validation_images.model_copy(update={"published": rule})}
        )
        changed = paper().model_copy(update={"search": search})
        planned = plan_at().artefacts["atprompt_table12"]
        again = plan_artefact(replace(planned.scope, paper=changed), planned.artefact)
        by_rule[rule] = {(each.dataset, each.seed): each.id for each in again.searches}
    for place in by_rule["test_first"]:
        assert len({ids[place] for ids in by_rule.values()}) == (3 if place[0] == "imagenet" else 1)


def test_originals_are_as_large_on_disk_as_they_were_downloaded():
    (cost,) = estimate(plan_at(), ["atprompt_table2"]).values()
    data = dataset("imagenet")
    files = 3 * 16 * data.classes * data.bytes / (data.train + data.val + data.test)  # three seeds
    targets = {name for job in plan_at().jobs_for("atprompt_table2") for name in plan_at().transfer_datasets(job)}
    tests = 3 * 224**2 * (data.test + sum(dataset(name).test for name in targets))
    assert cost.disk == pytest.approx(files + tests, rel=0.01)


@pytest.mark.parametrize("scale", SCALES)
def test_every_artefact_is_planned_at_every_scale(scale):
    assert {id for id in plan_at(scale).artefacts if id.startswith("atprompt_")} == ARTEFACTS


def test_headlines_need_their_own_runs_and_no_more():
    later = ("PromptSRC", "PromptKD", "PromptKD+ATPrompt")
    assert len(ids("table1")) == (2 * len(TRAINED) + len(later)) * 11 * 3
    assert len(ids("table2")) == 2 * len(TRANSFERRED) * 3
    assert not ids("table1") & ids("table2")


@pytest.mark.parametrize("scale", SCALES)
def test_later_tables_take_what_the_headlines_trained(scale):
    plan = plan_at(scale)
    own = ids("table1_v1", plan) - ids("table1", plan)  # PromptSRC+ATPrompt, which the later version has no more
    assert own and all("/promptsrc-" in id and "-attributes_" in id for id in own)
    assert ids("table4", plan) == ids("table2", plan)


@pytest.mark.parametrize(
    ("table", "label", "method"),
    [
        ("table5", "class token end", "CoOp+ATPrompt"),
        ("table6", "keep hard+soft attribute tokens", "MaPLe+ATPrompt"),
        ("table9", "Searched Attributes (color, shape)", "CoOp+ATPrompt"),
        ("table9", "(color, shape)", "CoOp+ATPrompt"),
        ("table10", "(a) Interval (Ours)", "CoOp+ATPrompt"),
        ("table10", "Baseline (CoOp)", "CoOp"),
        ("table11", "Random Normal Init", "CoOp+ATPrompt"),
    ],
)
def test_ablations_take_their_usual_row_from_table1(table, label, method):
    usual = {run.id for cell in row("table1", f"Base: {method}") for run in cell.members[0].runs}
    found = {run.id for cell in row(table, label) for member in cell.members for run in member.runs}
    assert len(found) == 3
    assert found <= usual


@pytest.mark.parametrize("table", ["table5", "table6", "table7", "table8", "table10", "table11", "figure5"])
def test_other_rows_of_ablations_differ(table):
    planned = plan_at().artefacts[f"atprompt_{table}"]
    varied = [planned.columns if table == "figure5" else planned.rows][0]
    runs = [
        frozenset(
            run.id for cell in planned.cells if value in (cell.row, cell.column) for m in cell.members for run in m.runs
        )
        for value in varied
    ]
    assert len(set(runs)) == len(varied)


def test_measures_score_base_new_or_both_of_the_same_runs():
    base, new, both = (row("table1", f"{label}: DePT+ATPrompt")[8] for label in ("Base", "Novel", "HM"))
    assert base.members[0].runs == new.members[0].runs == both.members[0].runs
    assert base.members[0].scored == (Target("dtd", "base"),)
    assert new.members[0].scored == (Target("dtd", "new"),)
    assert both.members[0].scored == (Target("dtd", "base"), Target("dtd", "new"))


def test_transfer_scores_every_target_and_averages_all_but_imagenet():
    for table, targets in (("table2", 11), ("table4", 5)):
        planned = plan_at().artefacts[f"atprompt_{table}"]
        scored = [cell.members[0].scored for cell in planned.cells if cell.row.label == "MaPLe+ATPrompt"]
        assert len(scored) == targets
        assert scored == [(Target(column.settings["target"], "all"),) for column in planned.columns]
        assert planned.artefact.average_without == ("imagenet",)
        for scale in map(plan_at, SCALES):  # whatever stands in for it there
            assert scale.artefacts[planned.artefact.id].columns[0].key == "imagenet"


def test_rows_that_are_only_printed_have_no_runs_and_are_not_shown_for_stand_ins():
    for label in PRINTED:
        cells = row("table1", f"Base: {label}")
        assert len(cells) == 11
        assert not any(cell.members for cell in cells)
        assert not row("table1", f"Base: {label}", plan_at("mini"))


@pytest.mark.parametrize(
    ("table", "count"),
    [("table1", 468), ("table1_v1", 360), ("table2", 72), ("table4", 36), ("table13", 31), ("table9", 39)],
)
def test_no_published_number_is_missing(table, count):
    assert len(lines(f"published/{table}.csv")) == count


@pytest.mark.parametrize("table", ["table3", "table12"])
def test_published_attributes_are_those_that_prompts_name(table):
    found = {"attribute bases": "bases", "searched result": "chosen"}
    named = {dataset(name).label: name for name in paper().datasets}
    for line in lines(f"published/{table}.csv"):
        words = tuple(line["value"].strip("()").split(", "))
        assert tuple(getattr(anchors(named[line["dataset"]]), found[line["metric"]])) == words


def test_anchored_rows_name_the_chosen_attributes_of_their_data_set():
    for name in paper().datasets:
        for method in TRAINED:
            run = first_run("table1", f"{method}+ATPrompt", dataset(name).label)
            assert run.options["attributes"] == list(anchors(name).chosen)


@pytest.mark.parametrize("method", TRAINED)
def test_repairs_touch_anchored_rows_alone(method):
    repaired = plan_of(scale="paper", fidelity="repaired")
    assert ids("table1", method=method) == ids("table1", repaired, method)
    assert not ids("table1", method=f"{method}+ATPrompt") & ids("table1", repaired, f"{method}+ATPrompt")


def test_fidelity_is_compared_where_an_attribute_has_several_tokens():
    for scale in SCALES:
        plan = plan_at(scale)
        runs = list(plan.artefacts["atprompt_fidelity"].runs)
        assert {tuple(run.options["attributes"]) for run in runs} == {("playfulness", "energy")}, scale
        assert {run.fidelity.attribute_tokens for run in runs} == {"first", "all"}
        deep = [run.fidelity for run in runs if run.method == "maple"]
        assert {(each.attribute_tokens, each.deep_start) for each in deep} == {("first", "assumed"), ("all", "exact")}


SEARCHED = [("published", "first_batch", 40, "test_first"), ("repaired", "cycle", 10, "half_of_shots")]


@pytest.mark.parametrize(("fidelity", "validation", "epochs", "images"), SEARCHED)
def test_searches_reach_every_size_and_switch_their_validation(fidelity, validation, epochs, images):
    plan = plan_of(scale="paper", fidelity=fidelity, artefacts="all")
    searches = plan.artefacts["atprompt_table12"].searches
    assert {search.dataset for search in searches} == set(paper().datasets)
    assert {search.seed for search in searches} == {1, 2, 3}
    for search in searches:
        assert (search.epochs, search.context, search.batch_size, search.validation_batch) == (epochs, 4, 32, 100)
        assert search.validation_images == (images if search.dataset == "imagenet" else None)
        assert (search.lr, search.weight_lr, search.sizes, search.validation) == (0.002, 0.02, "any", validation)
        assert search.bases == tuple(anchors(search.dataset).bases)


@pytest.mark.parametrize("id", ["table3", "table13", "search"])
def test_searches_are_shared(id):
    every = {search.id for search in plan_at().artefacts["atprompt_table12"].searches}
    assert {search.id for search in plan_at().artefacts[f"atprompt_{id}"].searches} <= every
