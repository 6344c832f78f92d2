"""What stands under a table or figure, on the project's own declarations."""

from dataclasses import replace

import pytest

from papertables.artefacts.notes import run_notes
from papertables.planning.cells import plan_artefact
from papertables.specs.paper import Adjustment
from tests.unit.plans import plan_of

pytestmark = pytest.mark.slow  # whole plans of the paper scale


def notes(artefact: str, **config) -> str:
    planned = plan_of(**config).artefacts[artefact]
    return " ".join(run_notes(planned, list(planned.runs), averaged=False, subsets={}))


@pytest.mark.parametrize(
    ("artefact", "left_out"),
    [
        ("smm_figure4", "left out here: CIFAR100, patch 1."),
        ("smm_table1", "left out here: ResNet-50 (ImageNet-1K)."),
        ("attrvr_table2", "left out here: CLIP RN101, CLIP ViT-B/32;"),
    ],
)
def test_what_the_scale_leaves_out_is_said(artefact, left_out):
    assert left_out in notes(artefact)
    assert "left out here" not in notes(artefact, scale="paper")


def test_parts_of_the_training_images_are_said():
    assert "0.5 of the training images" in notes("blm_padding")
    assert "all training images" in notes("blm_padding", scale="paper")
    assert "0.1, 0.2, 0.3, 0.4, 0.5 of the training images" in notes("blm_fraction")


def test_what_methods_train_differently_is_said_by_method():
    said = notes("atprompt_table1")
    assert "Training: 16 shots per class; students on all training images of all classes, without labels; " in said
    assert " 5 (published: 20) for teacher PromptSRC (ViT-L/14), teacher PromptSRC+ATPrompt (ViT-L/14)," in said
    assert "Batch size: 1 for CoCoOp, CoCoOp+ATPrompt; 4 for MaPLe, MaPLe+ATPrompt, " in said
    assert "learning rate of image_film, probe, text_film 0.02275." in said
    assert "; batch size 64, 256; " in notes("blm_padding", scale="paper")


def test_stand_ins_are_said():
    said = notes("blm_clip")
    assert "mini ViT stands in for CLIP ViT-B/32" in said
    assert "Kinds, Families stand in for the paper's 12 data sets" in said


def test_another_fit_of_images_than_the_papers_is_said():
    planned = plan_of().artefacts["atprompt_table1"]
    adjust = (Adjustment(when={}, set={"images.fit": "short"}), *planned.scope.substitutes.adjust)
    shrunk = planned.scope.substitutes.model_copy(update={"adjust": adjust})
    scale = planned.scope.scale.model_copy(update={"papers": {"atprompt": shrunk}})
    changed = plan_artefact(replace(planned.scope, scale=scale), planned.artefact)
    said = " ".join(run_notes(changed, list(changed.runs), averaged=False, subsets={}))
    assert "images fit short (published: original)" in said
    assert "images fit" not in notes("atprompt_table1")


def test_choices_are_said_with_their_evidence_where_they_touch_a_run():
    said = notes("atprompt_table1")
    assert "Choice recipe = origin: Plain rows are trained as their printed digits were." in said
    assert "Other values: vanilla." in said
    assert "Choice transfer_attributes" not in said
    assert "Choice transfer_attributes = source: " in notes("atprompt_table2")
    assert "Choice" not in notes("attrvr_table1")
    both = notes("atprompt_transfer_choices")
    assert "Choice recipe = origin: " in both and " vanilla: Plain rows are trained by the scripts" in both
    assert "Other values: vanilla" not in both
    assert "Choice maple_transfer = guide: " in both and "Other values: script." in both
    assert "Choice recipe = vanilla: " in notes("atprompt_table1", choices={"recipe": "vanilla"})


def test_a_choice_of_images_is_said_where_the_data_set_is_shown():
    assert "Choice gtsrb_training_set = first_phase: " in notes("blm_padding", scale="paper")
    assert "Choice gtsrb_training_set" not in notes("blm_topk", scale="paper")
    assert "Choice gtsrb_training_set" not in notes("blm_padding")


def test_searched_attributes_are_said():
    assert "Attributes: the winner" in notes("atprompt_table11", anchors="searched")
    assert "Attributes: the winner" not in notes("atprompt_table11")
    generated = notes("atprompt_table11", anchors="searched", bases="own", llm={"model": "tiny"})
    assert (
        "search on each data set, in the bases of own: a chat model behind an OpenAI-compatible address (tiny), not"
        in generated
    )


def test_every_table_says_whose_sentences_it_shows():
    assert "Sentences: mini: composed by the mini world's grammar." in notes("attrvr_table1")
    assert "Sentences: own: files that lie here" in notes("attrvr_table1", sentences="own")
    assert "Sentences: " not in notes("blm_padding")


def test_what_stands_for_itself_is_no_stand_in():
    planned = plan_of().artefacts["blm_clip"]
    scale = planned.scope.scale
    own = scale.papers["blm"].model_copy(update={"backbones": {"clip_vit_b32": "clip_vit_b32"}})
    scale = scale.model_copy(update={"papers": {"blm": own}})
    planned = replace(planned, scope=replace(planned.scope, scale=scale))
    said = " ".join(run_notes(planned, list(planned.runs), averaged=False, subsets={}))
    assert "CLIP ViT-B/32 stands in" not in said
