import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from sklearn.datasets import load_sample_images
from torchvision.transforms import v2

from papertables.backbones import checked_tower, classifier, load_tower, mini_classifiers
from papertables.backbones.catalog import Backbone, backbone, backbone_with, backbones
from papertables.backbones.clip import FrozenClip
from papertables.base.errors import UserError
from papertables.planning.paths import SHIPPED_WEIGHTS
from papertables.specs.config import OwnWeights
from papertables.specs.rules import Kept
from tests.weights import pretrained_vit

CLASSIFIERS = [id for id, entry in backbones().items() if entry.classes]
REAL = os.environ.get("PAPERTABLES_REAL")
RESNET = backbone("resnet18")
VIT = Backbone(  # timm's smallest, of the same make as vit_base_patch32_384
    id="tiny-vit",
    label="-",
    kind="timm",
    architecture="test_vit",
    image_size=160,
    embed_dim=64,
    classes=1000,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    gmacs=1,
    licence="-",
    file="-",
)
PATCH, HEADS, MLP = 16, 2, 192


@pytest.fixture(scope="module")
def resnet() -> torchvision.models.ResNet:
    """ResNet-18 with statistics in its batch norms that are not those of a fresh one."""
    torch.manual_seed(0)
    model = torchvision.models.resnet18(weights=None)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    return model.eval()


def source_logits(tower, pixels):
    return tower.encode_image(pixels) @ tower.weight.T + tower.bias


@pytest.mark.slow
@pytest.mark.parametrize("form", ["pth", "old pth", "safetensors in fp16"])
def test_source_logits_are_those_of_the_whole_resnet(resnet, tmp_path, form):
    state = resnet.state_dict()
    if form == "old pth":  # torchvision's first files lack this counter
        state = {key: value for key, value in state.items() if "num_batches_tracked" not in key}
    if form == "safetensors in fp16":
        state = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
        save_file(state, path := tmp_path / "weights.safetensors")
        resnet = torchvision.models.resnet18(weights=None).eval()
        resnet.load_state_dict(state)
    else:
        torch.save(state, path := tmp_path / "weights.pth")
    tower = classifier.load(RESNET, path)
    pixels = torch.randn(3, 3, 96, 96, requires_grad=True)
    logits = source_logits(tower, pixels)
    torch.testing.assert_close(logits, resnet(pixels))
    assert tower.encode_image(pixels).shape == (3, RESNET.embed_dim)
    assert tower.weight.dtype == torch.float32
    assert not tower.weight.requires_grad
    assert not any(parameter.requires_grad for parameter in tower.model.parameters())
    logits.logsumexp(1).sum().backward()
    assert pixels.grad.abs().mean() > 0
    torch.testing.assert_close(source_logits(tower, pixels[:1]), logits[:1])  # each image alone: no batch statistics


def test_source_logits_are_those_of_the_whole_vit(tmp_path):
    torch.manual_seed(0)
    model = timm.create_model(VIT.architecture).eval()
    torch.nn.init.normal_(model.head.weight, std=0.1)
    save_file(model.state_dict(), tmp_path / "weights.safetensors")
    tower = classifier.load(VIT, tmp_path / "weights.safetensors")
    pixels = torch.randn(2, 3, VIT.image_size, VIT.image_size)
    torch.testing.assert_close(source_logits(tower, pixels), model(pixels))
    assert tower.encode_image(pixels).shape == (2, VIT.embed_dim)


@pytest.mark.parametrize("id", mini_classifiers.NAMES)
def test_source_logits_are_those_of_the_mini_classifiers(id):
    entry, model = backbone(id), mini_classifiers.load(id)
    tower = load_tower(entry, SHIPPED_WEIGHTS / entry.file)
    pixels = torch.randn(2, 3, entry.image_size, entry.image_size)
    torch.testing.assert_close(source_logits(tower, pixels), model(pixels))
    assert (tower.mean, tower.std) == (mini_classifiers.MEAN, mini_classifiers.STD)
    assert tower.image_size == mini_classifiers.IMAGE_SIZE


def reference(state, images, patch, heads):
    """The logits of the ViT of Dosovitskiy et al. (2021), equations 1 to 4, in elementary operations."""

    def linear(x, name):
        return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    def norm(x, name):
        x = x - x.mean(-1, keepdim=True)
        x = x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        return x * state[f"{name}.weight"] + state[f"{name}.bias"]

    def attention(x, name):
        q, k, v = (linear(x, f"{name}.attn.proj_{letter}").chunk(heads, dim=-1) for letter in "qkv")
        mixed = [
            (one @ other.transpose(1, 2) / math.sqrt(one.shape[-1])).softmax(-1) @ value
            for one, other, value in zip(q, k, v, strict=True)
        ]
        return linear(torch.cat(mixed, dim=-1), f"{name}.proj")

    rows = images.unfold(2, patch, patch).unfold(3, patch, patch)  # (B, 3, h, w, patch, patch)
    rows = rows.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)  # (B, h w, 3 patch²)
    x = rows @ state["patch_embedding.weight"].flatten(1).T + state["patch_embedding.bias"]
    x = torch.cat([state["class_token"].expand(len(x), -1, -1), x], dim=1)
    x = x + state["positional_embedding.pos_embedding"]
    block = 0
    while f"transformer.blocks.{block}.proj.bias" in state:
        name = f"transformer.blocks.{block}"
        x = x + attention(norm(x, f"{name}.norm1"), name)
        hidden = linear(norm(x, f"{name}.norm2"), f"{name}.pwff.fc1")
        hidden = hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2
        x = x + linear(hidden, f"{name}.pwff.fc2")
        block += 1
    return linear(norm(x, "norm")[:, 0], "fc")


def test_weights_of_pytorch_pretrained_vit_give_its_logits(tmp_path):
    torch.manual_seed(0)
    depth = len(timm.create_model(VIT.architecture).blocks)
    state = pretrained_vit(VIT.embed_dim, VIT.image_size, PATCH, MLP, depth)
    torch.save(state, tmp_path / "weights.pth", _use_new_zipfile_serialization=False)  # the form of the released file
    tower = classifier.load(VIT, tmp_path / "weights.pth")
    pixels = torch.randn(2, 3, VIT.image_size, VIT.image_size)
    expected = reference(state, pixels, PATCH, HEADS)
    assert expected.std() > 0.1
    torch.testing.assert_close(source_logits(tower, pixels), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_every_tensor_of_the_released_vit_has_its_place():
    with torch.device("meta"):
        model = classifier.build(backbone("vit_b32_384"))
        converted = classifier.from_pretrained_vit(pretrained_vit(768, 384, 32, 3072, 12))
    shapes = {key: value.shape for key, value in model.state_dict().items()}
    assert {key: value.shape for key, value in converted.items()} == shapes
    norms = [module for module in model.modules() if isinstance(module, torch.nn.LayerNorm)]
    assert {norm.eps for norm in norms} == {1e-6}
    assert {str(block.mlp.act) for block in model.blocks} == {"GELU(approximate='none')"}
    assert {block.attn.num_heads for block in model.blocks} == {12}


@pytest.mark.parametrize("id", CLASSIFIERS)
def test_there_is_a_name_for_every_source_class(id):
    labels = classifier.source_labels(backbone(id))
    assert len(set(labels)) == backbone(id).classes
    if backbone(id).classes == 1000:  # the first, one in the middle and the last of the sorted WordNet ids
        assert (labels[0], labels[388], labels[-1]) == ("tench", "giant panda", "toilet tissue")


def refusal(entry, path):
    with pytest.raises(UserError) as caught:
        classifier.load(entry, path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    assert message.endswith(f"put {entry.urls[0] if entry.urls else 'the file shipped with papertables'} there")
    return message


@pytest.mark.slow
def test_files_that_hold_no_such_model(resnet, tmp_path):
    path = tmp_path / "weights.pth"
    assert "no such file" in refusal(RESNET, path)
    path.write_bytes(b"something else")
    assert "cannot be read as weights" in refusal(RESNET, path)
    torch.save(resnet.state_dict(), path)
    path.write_bytes(path.read_bytes()[:100_000])
    assert "cannot be read as weights" in refusal(RESNET, path)
    for other in ([1, 2], {"epoch": 3}):
        torch.save(other, path)
        assert "holds no state dict of tensors" in refusal(RESNET, path)
    torch.save(resnet.state_dict(), path)
    assert "these are not the weights of resnet50" in refusal(backbone("resnet50"), path)
    torch.save(torchvision.models.resnet18(num_classes=10).state_dict(), path)
    assert "these are not the weights of resnet18" in refusal(RESNET, path)
    state = resnet.state_dict()
    torch.save({key: value for key, value in state.items() if key != "layer1.0.conv1.weight"}, path)
    assert 'Missing key(s) in state_dict: "layer1.0.conv1.weight"' in refusal(RESNET, path)
    torch.save(state | {"layer5.bias": torch.zeros(1)}, path)
    assert 'Unexpected key(s) in state_dict: "layer5.bias"' in refusal(RESNET, path)
    state = pretrained_vit(VIT.embed_dim, VIT.image_size, PATCH, MLP, 6)
    del state["transformer.blocks.3.attn.proj_v.bias"]
    torch.save(state, path)
    assert "these are not the weights of tiny-vit" in refusal(VIT, path)
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"something else")
    assert "cannot be read as weights" in refusal(backbone("mini-cls-rn"), path)


@pytest.mark.slow
def test_weights_at_the_published_name_are_the_published_ones(resnet, tmp_path):
    path = tmp_path / RESNET.file
    torch.save({"state_dict": {f"module.{name}": value for name, value in resnet.state_dict().items()}}, path)
    with pytest.raises(UserError, match=r"not the published weights of resnet18, .*under 'weights: resnet18'"):
        checked_tower(Kept("", "resnet18", str(path), None))
    own = OwnWeights(path=str(path), mean=(0.5,) * 3, std=(0.5,) * 3)
    tower = checked_tower(Kept("", "resnet18", str(path), own))
    pixels = torch.randn(1, 3, 96, 96)
    torch.testing.assert_close(source_logits(tower, pixels), resnet(pixels))
    assert (tower.mean, tower.std) == ((0.5,) * 3, (0.5,) * 3)
    with pytest.raises(UserError, match="no such file of weights: put https"):
        checked_tower(Kept("", "resnet18", str(tmp_path / "nowhere.pth"), None))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "said"),
    [("resnet81", "did you mean 'resnet18'"), ("vit_b_16", "the last layer of vit_b_16 is no linear 'fc'")],
)
def test_an_architecture_that_cannot_be(tmp_path, architecture, said):
    path = tmp_path / "own.pth"
    torch.save(torchvision.models.vit_b_16(weights=None).state_dict() if "vit" in architecture else {}, path)
    with pytest.raises(UserError, match=said):
        checked_tower(Kept("", "resnet18", str(path), OwnWeights(path=str(path), architecture=architecture)))


def test_shipped_weights_are_of_one_architecture():
    with pytest.raises(UserError, match=r"weights: mini-vit: architecture: .*mini-vit alone: leave the key out"):
        backbone_with("mini-vit", OwnWeights(path="own.pt", architecture="ViT-B-32"))


def test_one_call_loads_towers_of_any_kind():
    entry = backbone("mini-vit")
    assert isinstance(load_tower(entry, SHIPPED_WEIGHTS / entry.file), FrozenClip)
    entry = backbone("mini-cls-rn")
    assert isinstance(load_tower(entry, SHIPPED_WEIGHTS / entry.file), classifier.FrozenClassifier)


@pytest.mark.slow
def test_the_catalog_needs_no_torch():
    command = "import sys, papertables.backbones, papertables.backbones.catalog; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0


@pytest.mark.slow
def test_a_job_of_torchvisions_classifier_imports_no_other_library():
    command = (
        "import sys, papertables.training.run, papertables.training.learners; from papertables.backbones import "
        "catalog, classifier; made = catalog.backbone('resnet18'); classifier.build(made); "
        "classifier.source_labels(made); print(sorted({'timm', 'open_clip', 'peft'} & sys.modules.keys()))"
    )
    assert subprocess.check_output([sys.executable, "-c", command], text=True) == "[]\n"


@pytest.mark.skipif(REAL is None, reason="PAPERTABLES_REAL names no folder with resnet18_in1k_pqf.safetensors")
def test_a_real_resnet_knows_a_palace():
    """The photograph of the Summer Palace in Beijing that comes with scikit-learn."""
    tower = classifier.load(RESNET, Path(REAL) / "resnet18_in1k_pqf.safetensors")
    normalise = v2.Normalize(tower.mean, tower.std)
    resize = v2.Compose([v2.ToImage(), v2.Resize(256), v2.CenterCrop(224), v2.ToDtype(torch.float32, scale=True)])
    pixels = normalise(resize(load_sample_images().images[0].copy()))[None]
    best = source_logits(tower, pixels)[0].topk(3).indices.tolist()
    assert {tower.labels[label] for label in best} == {"bell cote", "palace", "monastery"}
