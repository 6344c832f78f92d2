"""What is declared under workflow/papers: it parses, its settings are the papers', its published numbers land."""

import csv
from dataclasses import replace

import pytest

from papertables.artefacts import compare
from papertables.planning.axes import axis_of, rows_of
from papertables.planning.project import load_project
from papertables.specs.artefact import Artefact
from papertables.specs.claims import Claims
from papertables.specs.paper import Paper
from papertables.specs.validation import read
from tests.unit.plans import CONFIG, REPOSITORY, plan_of

pytestmark = pytest.mark.slow  # whole plans of the paper scale

FOLDER = REPOSITORY / "workflow" / "papers"
FILES = sorted(FOLDER.glob("*/published/*.csv"))
# Printed, but of methods that are not reproduced here.
NOT_OURS = {"DVP", "DVP-cls", "DVP-cse"}
# How many numbers are printed for other shots than those of any artefact that reads the file.
OTHER_SHOTS = {"attrvr/ablation.csv": 1}


def plan():
    return plan_of(scale="paper")


def name(path):
    return f"{path.parents[1].name}/{path.name}"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*/*.yaml")), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_declarations_parse(path):
    if path.stem == "protocol":
        assert read(Paper, path, id=path.parent.name).methods
    elif path.stem == "claims":
        assert read(Claims, path).claims
    else:
        assert read(Artefact, path, id=f"{path.parent.name}_{path.stem}", paper=path.parent.name).title


@pytest.mark.parametrize("path", FILES, ids=name)
def test_every_published_file_belongs_to_an_artefact(path):
    assert any(artefact.published for artefact in readers(path))


@pytest.mark.parametrize("path", FILES, ids=name)
def test_every_published_number_is_found_by_some_cell(path):
    known, found = set(), set()
    for artefact in readers(path):
        if artefact.computed:
            return  # tested with the computed tables
        scope = plan().project.scope(artefact).published
        numbers = compare.read(path.parent, [each for each in artefact.published if each.file == path.name])
        known |= {quote for each in numbers for quotes in each.quotes.values() for quote in quotes}
        rows, columns = list(rows_of(scope, artefact)), list(axis_of(scope, artefact, artefact.columns))
        if artefact.average:
            (rows if artefact.rows.vary == "dataset" else columns).append(compare.average_value())
        found |= {
            quote for row in compare.quotes(artefact, scope.paper, numbers, rows, columns) for quote in row if quote
        }
    wanted = {quote for quote in known if quote.method not in NOT_OURS}
    assert wanted
    assert found <= wanted
    assert len(wanted - found) == OTHER_SHOTS.get(name(path), 0)


@pytest.mark.parametrize("id", ["atprompt_plain_rows", "atprompt_transfer_choices", "atprompt_table1", "smm_table1"])
def test_a_row_finds_the_number_that_is_printed_under_its_name(id):
    artefact = plan().project.artefacts[id]
    scope = plan().project.scope(artefact).published
    numbers = compare.read(FOLDER / artefact.paper / "published", artefact.published)
    rows, columns = rows_of(scope, artefact), axis_of(scope, artefact, artefact.columns)
    printed = {quote.method for each in numbers for quotes in each.quotes.values() for quote in quotes}
    for row, quotes in zip(rows, compare.quotes(artefact, scope.paper, numbers, rows, columns), strict=True):
        assert ((row.own or row.published) in printed) is any(quotes), row.label


def readers(path):
    artefacts = [each for each in plan().project.artefacts.values() if each.paper == path.parents[1].name]
    return [each for each in artefacts if path.name in {published.file for published in each.published}]


@pytest.mark.parametrize("path", FILES, ids=name)
def test_only_differences_and_texts_are_not_read_as_numbers(path):
    metrics = {published.metric for artefact in readers(path) for published in artefact.published}
    with path.open(newline="") as file:
        unread = {line["metric"] for line in csv.DictReader(file)} - metrics
    if not any(artefact.computed for artefact in readers(path)):
        assert unread <= {"delta acc", "extra parameters"}


def test_artefacts_have_runs_at_the_paper_scale():
    for id, planned in plan().artefacts.items():
        assert list(planned.runs) or not planned.cells, id


def test_labels_tell_methods_apart():
    for paper in plan().project.papers.values():
        labels = [method.label for method in paper.methods.values()]
        assert len(labels) == len(set(labels))


def test_every_method_is_shown_by_some_artefact():
    for paper in plan().project.papers.values():
        members = [m for p in plan().artefacts.values() if p.paper.id == paper.id for c in p.cells for m in c.members]
        shown = {each.method for m in members for each in (m, m.teacher) if each}  # a teacher by its students
        assert shown == {method.label for method in paper.methods.values() if method.method}


def run(artefact, method, dataset, backbone):
    """The first run of a method, by its label, on a data set with a backbone."""
    cells = plan().artefacts[artefact].cells
    members = [member for cell in cells for member in cell.members if member.method == method]
    return next(m.runs[0] for m in members if (m.runs[0].dataset, m.runs[0].backbone) == (dataset, backbone))


@pytest.mark.parametrize(("backbone", "table"), [("resnet18", "smm_table1"), ("vit_b32_384", "smm_table2")])
def test_smm_margin_and_padded_image_keep_their_pixels(backbone, table):
    for method in ("Narrow", "Medium", "Full", "SMM"):
        assert run(table, method, "dtd", backbone).images.model_dump() == {
            "fit": "square",
            "augmentation": "crop_flip",
            "margin": 32,
            "first": None,
        }
    for dataset, side in (("svhn", 32), ("dtd", 128)):
        padded = run(table, "Pad", dataset, backbone)
        assert padded.options["inner"] == padded.image_size == side
        assert (padded.images.augmentation, padded.images.margin) == ("none", 0)


@pytest.mark.parametrize(
    ("backbone", "table", "pads"),
    [("resnet18", "smm_table1", (28, 56, 112)), ("vit_b32_384", "smm_table2", (48, 96, 192))],
)
def test_smm_frames_are_shares_of_the_input(backbone, table, pads):
    assert tuple(run(table, method, "dtd", backbone).options["pad"] for method in ("Narrow", "Medium", "Full")) == pads


def test_smm_mask_network_of_vit_has_six_layers_and_a_rate_of_its_own():
    small, large = run("smm_table1", "SMM", "svhn", "resnet18"), run("smm_table2", "SMM", "svhn", "vit_b32_384")
    assert (small.options["layers"], large.options["layers"]) == (5, 6)
    part = large.training.parts["pixels.network"]
    assert (part.optimizer.name, part.optimizer.lr, part.schedule.gamma) == ("adam", 0.001, 1)
    assert (large.training.optimizer.lr, large.training.schedule.gamma) == (0.01, 0.1)
    assert not small.training.parts


def test_smm_rates_that_were_found_best_share_their_runs_with_table2():
    shared = {run.id for run in plan().artefacts["smm_table2"].runs} & {
        run.id for run in plan().artefacts["smm_table7"].runs
    }
    assert len(shared) == 3
    assert len({run.id for run in plan().artefacts["smm_table7"].runs}) == 24


@pytest.mark.parametrize(("paper", "table"), [("smm", "smm_table1"), ("blm", "blm_padding")])
def test_batches_are_smaller_for_dtd_and_pets(paper, table):
    sizes = {run.dataset: run.training.batch_size for run in plan().artefacts[table].runs}
    assert sizes == {
        dataset: 64 if dataset in ("dtd", "oxford_pets") else 256 for dataset in plan().project.papers[paper].datasets
    }


@pytest.mark.parametrize(("fidelity", "expected"), [("published", "training"), ("repaired", "evaluation")])
def test_smm_first_mapping_pass_is_a_switch(fidelity, expected):
    runs = load_plan(fidelity=fidelity).artefacts["smm_table1"].runs
    masked = {run.fidelity.first_mapping_pass for run in runs if "patch" in run.options}
    assert masked == {expected}


RULES = {"attrvr": "keep_best", "blm": "skip", "smm": "skip", "atprompt": "stop"}


@pytest.mark.parametrize("fidelity", ["published", "repaired"])
@pytest.mark.parametrize("paper", RULES)
def test_what_a_loss_that_is_not_finite_does_is_a_switch(paper, fidelity):
    made = load_plan(fidelity=fidelity).artefacts
    declared = [each for id, each in made.items() if id.startswith(f"{paper}_") and not id.endswith("_fidelity")]
    found = {(bool(run.training), run.fidelity.on_nonfinite) for each in declared for run in each.runs}
    assert found - {(False, "stop")} == {(True, RULES[paper] if fidelity == "published" else "stop")}


@pytest.mark.parametrize("fidelity", ["published", "repaired"])
@pytest.mark.parametrize("scale", ["mini", "paper"])
def test_no_run_stands_under_two_rules_for_losses_that_are_not_finite(scale, fidelity):
    """Since its id does not tell them apart."""
    planned = plan_of(scale=scale, fidelity=fidelity, artefacts="all").artefacts.values()
    runs = [run for each in planned for cell in each.cells for member in cell.members for run in member.runs]
    pairs = {(run.id, run.fidelity.on_nonfinite) for run in runs}
    assert len(pairs) == len({run.id for run in runs})


def test_a_rule_for_losses_that_are_not_finite_sets_off_what_depends_on_it():
    """BLM's runs have the same ids under both, AttrVR's keep theirs where only the table changes."""
    published, repaired = load_plan(), load_plan(fidelity="repaired")
    table = "blm_padding"
    assert [run.id for run in published.artefacts[table].runs] == [run.id for run in repaired.artefacts[table].runs]
    jobs = [id for id, job in published.jobs.items() if job.artefact == table]
    for id in jobs:
        assert published.signatures.train(published.jobs[id]) != published.signatures.train(repaired.jobs[id])
    both = [published.signatures.artefact(plan.artefacts[table]) for plan in (published, repaired)]
    assert both[0] != both[1]
    job = next(job for job in published.jobs.values() if job.artefact == "attrvr_table1" and job.trained)
    stopped = [run.fidelity.model_copy(update={"on_nonfinite": "stop"}) for run in job.runs]
    changed = [run.model_copy(update={"fidelity": own}) for run, own in zip(job.runs, stopped, strict=True)]
    assert published.signatures.train(replace(job, runs=tuple(changed))) == published.signatures.train(job)


@pytest.mark.parametrize(
    ("paper", "table"), [("smm", "table1"), ("blm", "padding"), ("blm", "watermark"), ("blm", "clip")]
)
def test_the_training_set_of_gtsrb_is_a_choice(paper, table):
    """Which changes the images and nothing else; the column is called, and compared, as before."""
    first, final = (
        load_plan(choices=choices).artefacts[f"{paper}_{table}"] for choices in ({}, {"gtsrb_training_set": "final"})
    )
    assert first.columns == final.columns
    for run, other in zip(first.runs, final.runs, strict=True):
        assert other == run.model_copy(update={"dataset": run.dataset.replace("gtsrb", "gtsrb_final")})
    assert "gtsrb_final" in {run.dataset for run in final.runs}


def test_smm_second_milestone_is_a_choice_of_every_optimiser():
    def milestones(**choices):
        runs = list(load_plan(choices=choices).artefacts["smm_table2"].runs)
        parts = [part.schedule for run in runs for part in run.training.parts.values()]
        return {schedule.milestones for schedule in [*parts, *(run.training.schedule for run in runs)]}

    assert milestones() == {(0.5, 0.72)}
    assert milestones(second_milestone="145") == {(0.5, 0.725)}
    assert [int(share * 200) for share in (0.5, 0.72, 0.725)] == [100, 144, 145]


def test_smm_original_size_is_a_choice_of_seven_sets_and_not_of_pad():
    def first(table, **choices):
        runs = load_plan(choices=choices).artefacts[table].runs
        return {(run.dataset, run.method): run.images.first for run in runs}

    assert set(first("smm_table1").values()) == {None}
    for table in ("smm_table1", "smm_table2"):
        chosen = first(table, original_size="128")
        small = {"cifar10", "cifar100", "svhn", "gtsrb"}
        assert {data for (data, _), given in chosen.items() if given} == {data for data, _ in chosen} - small
        assert {given for (_, method), given in chosen.items() if method == "padding"} == {None}
        assert set(chosen.values()) == {None, 128}


def load_plan(**config):
    return plan_of(**{"scale": "paper"} | config)


def test_blm_inputs():
    padded = run("blm_padding", "BLM+", "cifar10", "resnext101_ig")
    assert (padded.image_size, padded.options["mapping"], padded.images.augmentation) == (32, "blmp", "none")
    whole = run("blm_watermark", "BLM (watermark)", "cifar10", "resnet18")
    assert (whole.options["pad"], whole.images.augmentation, whole.images.margin) == (112, "crop_flip", 4)
    prompted = run("blm_clip", "ILM (CLIP)", "cifar10", "clip_vit_b32")
    assert (prompted.options["pad"], prompted.images.fit, prompted.images.augmentation) == (30, "short", "none")
    assert (prompted.training.optimizer.name, prompted.training.optimizer.lr) == ("sgd", 40)
    assert prompted.training.schedule.name == "cosine_step"


def test_blm_trained_mapping_has_a_rate_of_its_own():
    for table, method in (("blm_padding", "learned mapping"), ("blm_watermark", "learned mapping (watermark)")):
        assert run(table, method, "svhn", "resnet18").training.parts["logits"].optimizer.lr == 0.1
    assert not run("blm_padding", "BLM", "svhn", "resnet18").training.parts


def test_fractions_of_the_training_images():
    runs = plan().artefacts["blm_fraction"].runs
    assert {(run.dataset, run.fraction) for run in runs} == {("cifar100", part) for part in (0.2, 0.4, 0.6, 0.8, None)}


def told(header):
    """The rows of the table in docs/fidelity.md whose first columns are these, as tuples of words."""
    lines = (REPOSITORY / "docs" / "fidelity.md").read_text("utf-8").splitlines()
    rows = lines[lines.index(header) + 2 :]
    rows = rows[: next(i for i, line in enumerate(rows) if not line.startswith("|"))]
    return [tuple(word.strip().replace("`", "") for word in line.strip("|").split("|")) for line in rows]


def test_the_document_on_fidelity_names_every_switch_with_its_values():
    declared = []
    for paper in plan().project.papers.values():
        switches = dict(paper.fidelity)
        if paper.search and not paper.searches_as:
            switches |= {f"search.{name}": switch for name, switch in paper.search.switches.items()}
        declared += [(paper.id, name, str(each.published), str(each.repaired)) for name, each in switches.items()]
    rows = told("| paper | switch | published | repaired | evidence in short |")
    assert sorted(row[:4] for row in rows) == sorted(declared)
    assert all(row[4] for row in rows)


def test_the_document_on_fidelity_names_every_choice_with_its_values():
    declared = []
    for paper in plan().project.papers.values():
        for name, choice in paper.choices.items():
            others = ", ".join(value for value in choice.values if value != choice.default)
            declared.append((paper.id, name, choice.default, others))
    rows = told("| paper | choice | default | other values | evidence in short |")
    assert sorted(row[:4] for row in rows) == sorted(declared)
    assert all(row[4] for row in rows)


def test_headlines():
    headlines = {artefact.id for artefact in load_project(REPOSITORY, CONFIG).artefacts.values() if artefact.headline}
    assert {"attrvr_table1", "blm_padding", "smm_table1", "atprompt_table1", "atprompt_table2"} <= headlines
