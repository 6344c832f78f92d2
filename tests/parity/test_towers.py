import pytest
import torch.nn.functional as F

from papertables.backbones.frozen_features import class_features


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tiny_clip", "tiny_clip_rn"])
def test_features_and_logits(golden, tower, resnet_tower, normalise, name):
    case = golden(name)
    used = tower if name == "tiny_clip" else resnet_tower
    image = used.encode_image(normalise(case.tensors["images_u8"]))
    case.agrees(image, "image_features")
    text = used.encode_text(golden("tiny_clip").facts["texts"])
    golden("tiny_clip").agrees(text, "text_features")
    logits = used.logit_scale.exp() * F.normalize(image, dim=-1) @ F.normalize(text, dim=-1).T
    case.agrees(logits, "logits_per_image")


def test_tokens(golden, tower):
    case = golden("tiny_clip")
    assert (tower.tokenizer(case.facts["texts"]) == case.tensors["tokens"]).all()


def test_text_does_not_depend_on_its_batch(golden, tower):
    case = golden("tiny_clip")
    case.agrees(tower.encode_text(case.facts["texts"], batch=1), "text_features")


def test_class_features(golden, tower, normalise):
    case = golden("zeroshot_classifier")
    image = F.normalize(tower.encode_image(normalise(case.tensors["images_u8"])), dim=-1)
    case.agrees(image, "image_emb")
    names = case.facts["class_names_raw"]
    kinds = {"basic": [case.facts["attrvr_template"]], "multi": case.facts["attrvr_multi_templates"]}
    for kind, templates in kinds.items():
        classes = class_features(tower, names, templates)
        case.agrees(classes.T, f"attrvr_weights_{kind}")
        case.agrees(tower.logit_scale.exp() * image @ classes.T, f"attrvr_logits_{kind}")
    refined, templates = case.facts["blm_class_names_refined"], case.facts["blm_templates"]
    case.agrees(class_features(tower, refined, [case.facts["blm_default_template"]]), "blm_single_emb")
    case.agrees(class_features(tower, refined, templates).T, "blm_ensemble_weights")
