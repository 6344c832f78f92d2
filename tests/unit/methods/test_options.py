"""Options that cannot work are known when planning, each with a reason."""

import pytest

from papertables.base.errors import UserError
from papertables.methods.table import METHODS
from papertables.specs.spec import RunSpec
from tests.unit.small_world import mapped_spec, spec

MASKED = ("smm", "only_mask")


def prompted(method: str, backbone: str = "mini-vit", protocol: str = "base_to_new", **options) -> RunSpec:
    given = {"options": METHODS[method].options | options, "backbone": backbone, "protocol": protocol}
    return mapped_spec(method, dataset="dtd", **given)


def masked(method: str, backbone: str = "mini-cls-rn", **options) -> RunSpec:
    return mapped_spec(method, dataset="dtd", backbone=backbone, options=METHODS[method].options | options)


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("vp", {"pad": 25}, "pad is 25: two frames do not fit into an input of 48"),
        ("vp", {"pad": 86}, "pad is 86: .*; it is scaled from what is written for 224 pixels: write at most 112"),
        ("vp", {"pad": 0}, "pad must be at least 1, not 0"),
        ("ar", {"inner": 49}, "inner is 49: the image is larger than the input of 48"),
        ("ar", {"inner": 86}, "inner is 86: .*; it is scaled from what is written for 224 pixels: write at most 224"),
        ("attrvr", {"k": 1.5}, "k is 1.5: it must be a whole number"),
        ("attrvr", {"lam": 1.5}, "lam must be at most 1, not 1.5"),
        ("attrvr", {"lam": -0.5}, "lam must be at least 0, not -0.5"),
        ("attr_zs", {"m": 0}, "m must be at least 1, not 0"),
        ("vp", {"pda": 6}, r"unknown key 'pda' \(did you mean 'pad'\?\)"),
    ],
)
def test_frames_and_attributes(method, options, message):
    METHODS[method].check(spec(method))
    with pytest.raises(UserError, match=f"^{method} with mini-vit on small: options: {message}"):
        METHODS[method].check(spec(method, **options))


def test_k_above_m_means_all():
    METHODS["attrvr"].check(spec("attrvr", k=9, m=3))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"layers": 4}, "layers is 4: it must be one of 5, 6"),
        ({"layers": "5"}, "layers is '5': it must be one of 5, 6"),
        ({"patch": 3}, "patch is 3: it must be one of 1, 2, 4, 8, 16, 32"),
        ({"patch": 32}, "patch is 32: it needs 6 layers"),
        ({"channels": 2}, "channels is 2: it must be one of 1, 3"),
        ({"width": 0}, "width must be at least 1, not 0"),
        ({"width": 1.5}, "width is 1.5: it must be a whole number"),
    ],
)
@pytest.mark.parametrize("method", MASKED)
def test_mask_networks(method, changed, message):
    METHODS[method].check(masked(method))
    with pytest.raises(UserError, match=f"options: {message}"):
        METHODS[method].check(masked(method, **changed))


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("smm", {"mapping": "ilmm"}, r"mapping: unknown value 'ilmm' \(did you mean 'ilm'\?\): choose from rlm, flm"),
        ("smm", {"mapping": 1}, "mapping is 1: it must be one of rlm, flm"),
        ("padding", {"laplace": -1}, "laplace must be at least 0, not -1"),
        ("padding", {"ratio": 0}, "ratio must be more than 0, not 0"),
        ("finetune", {"mapping": "ilm"}, "mapping is 'ilm': on plain images nothing would be trained"),
    ],
)
def test_mappings(method, options, message):
    run = mapped_spec(method, dataset="dtd", options=METHODS[method].options | {"inner": 36} | options)
    keeping = {name: value for name, value in run.options.items() if name in METHODS[method].options}
    with pytest.raises(UserError, match=f"options: {message}"):
        METHODS[method].check(run.model_copy(update={"options": keeping}))


def test_a_clip_has_no_last_layer():
    given = {"dataset": "dtd", "backbone": "mini-vit", "options": METHODS["watermark"].options | {"pad": 6}}
    METHODS["watermark"].check(mapped_spec("watermark", **given))
    given["options"] = given["options"] | {"mapping": "last_layer"}
    with pytest.raises(UserError, match="options: mapping is 'last_layer': it replaces the last layer of a classifier"):
        METHODS["watermark"].check(mapped_spec("watermark", **given))


@pytest.mark.parametrize(("mapping", "works"), [("rlm", False), ("ilm", False), ("blm", True), ("learned", True)])
def test_one_label_each_needs_as_many_labels_as_classes(mapping, works):
    run = masked("smm", mapping=mapping).model_copy(update={"dataset": "sun397"})
    if works:
        METHODS["smm"].check(run)
        return
    with pytest.raises(UserError, match="397 classes, but only 80 source labels: take mapping blm or blmp"):
        METHODS["smm"].check(run)


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("coop", {"attributes": ["a", "b", "c", "d"]}, "attributes: take at most 3 words"),
        ("coop", {"attributes": ["a", "a"]}, "attributes: it must be a list of different words"),
        ("coop", {"attributes": [1]}, "attributes: it must be a list of different words"),
        ("coop", {"attributes": [["a"]]}, "attributes: it must be a list of different words"),
        ("coop", {"attributes": [""]}, "attributes: it must be a list of different words"),
        ("coop", {"attributes": "color"}, "attributes: it must be a list of different words"),
        ("coop", {"attributes": ["a", "b"], "attribute_context": [2]}, "attribute_context is .* a number for each"),
        ("coop", {"attributes": "searched", "attribute_context": [2]}, "attribute_context is .* a number for each"),
        ("coop", {"attributes": ["a"], "attribute_context": [0]}, r"attribute_context\.0 must be at least 1"),
        ("coop", {"context": "four"}, "context is 'four': it must be a whole number"),
        ("dept", {"weight": "much"}, "weight is 'much': it must be a number"),
        ("coop", {"context": 0}, "context must be at least 1, not 0"),
        ("coop", {"class_position": "left"}, "class_position: unknown value 'left'.* choose from end"),
        ("coop", {"class_specific": True}, "class_specific is true: .* know no others"),
        ("coop", {"class_specific": True, "attributes": ["a"]}, "class_specific is true: .* take no attributes"),
        ("dept", {"weight": 1.5}, "weight must be at most 1, not 1.5"),
        ("maple", {"depth": 0}, "depth must be at least 1, not 0"),
    ],
)
def test_learned_prompts(method, options, message):
    METHODS[method].check(prompted(method))
    with pytest.raises(UserError, match=f"options: {message}"):
        METHODS[method].check(prompted(method, **options))


def test_contexts_of_single_classes_work_few_shot():
    METHODS["coop"].check(prompted("coop", protocol="few_shot", class_specific=True))


def test_image_prompts_need_a_vit():
    with pytest.raises(UserError, match="need a ViT"):
        METHODS["maple"].check(prompted("maple", "clip_rn50"))


def test_what_maps_no_labels_needs_a_text_tower():
    with pytest.raises(UserError, match=r"^coop with resnet18 on dtd: this backbone has no text tower: take a CLIP$"):
        METHODS["coop"].check(prompted("coop", "resnet18"))
