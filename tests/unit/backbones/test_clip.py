import copy
import subprocess
import sys

import open_clip
import pytest
import torch
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from safetensors.torch import save_file
from torch import nn

from papertables.backbones import clip
from papertables.backbones.catalog import Backbone, backbone_with
from papertables.base.errors import UserError
from papertables.specs.config import OwnWeights

SIDE = 16
ENTRY = Backbone(
    id="tiny",
    label="tiny",
    kind="clip",
    architecture="-",
    image_size=SIDE,
    embed_dim=8,
    gmacs=1,
    licence="-",
    file="-",
)


@pytest.fixture(scope="module")
def model() -> CLIP:
    torch.manual_seed(0)
    vision = CLIPVisionCfg(layers=1, width=64, patch_size=8, image_size=SIDE)
    return CLIP(8, vision, CLIPTextCfg(width=64, heads=1, layers=1), quick_gelu=True).eval()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torch about its own archives
@pytest.mark.parametrize("form", ["safetensors", "pt", "jit"])
def test_every_form_of_an_openai_file(model, tmp_path, form):
    state = {name: value for name, value in model.state_dict().items() if name != "attn_mask"}
    path = tmp_path / f"weights.{'safetensors' if form == 'safetensors' else 'pt'}"
    if form == "safetensors":
        save_file(state, path)
    elif form == "pt":
        torch.save(state | {"input_resolution": torch.tensor(SIDE)}, path)
    else:
        pixels = torch.zeros(1, 3, SIDE, SIDE), torch.zeros(1, 77, dtype=torch.int)
        archive = torch.jit.trace(model, pixels)
        archive.save(str(path))
    tower = clip.load(ENTRY, path)
    images = torch.randn(2, 3, SIDE, SIDE)
    torch.testing.assert_close(tower.encode_image(images), model.encode_image(images))
    texts = ["a cat", "a photo of a very large and very old dog"]
    torch.testing.assert_close(tower.encode_text(texts), model.encode_text(open_clip.tokenize(texts)))
    assert not any(parameter.requires_grad for parameter in tower.model.parameters())


@pytest.mark.slow
def test_a_resnet_is_computed_with_batch_norm_folded_in():
    torch.manual_seed(0)
    vision = CLIPVisionCfg(layers=(1, 1, 1, 1), width=8, image_size=32)
    whole = CLIP(8, vision, CLIPTextCfg(width=64, heads=1, layers=1)).eval().requires_grad_(False)
    for norm in [module for module in whole.modules() if isinstance(module, nn.BatchNorm2d)]:
        norm.running_mean.uniform_(-0.1, 0.1)
        norm.running_var.uniform_(0.5, 2)
    light = clip.FrozenClip(copy.deepcopy(whole))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in light.model.modules())
    found, expected = (torch.ones(3, 3, 32, 32).cumsum(0).div(3).requires_grad_() for _ in range(2))
    torch.testing.assert_close(light.encode_image(found), whole.encode_image(expected), rtol=1e-4, atol=1e-5)
    light.encode_image(found).square().sum().backward()
    whole.encode_image(expected).square().sum().backward()
    torch.testing.assert_close(found.grad, expected.grad, rtol=1e-3, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_files_that_hold_no_such_model(model, tmp_path):
    path = tmp_path / "weights.pt"
    with pytest.raises(UserError, match="no such file"):
        clip.load(ENTRY, path)
    path.write_bytes(b"something else")
    with pytest.raises(UserError, match="cannot be read as weights"):
        clip.load(ENTRY, path)
    torch.save({"other": torch.zeros(1)}, path)
    with pytest.raises(UserError, match=r"these are not the weights of tiny, .*visual.*the file holds other: put"):
        clip.load(ENTRY, path)
    torch.save(model.state_dict(), path)
    with pytest.raises(UserError, match="a model for 16 pixels, tiny takes 32"):
        clip.load(ENTRY.model_copy(update={"image_size": 32}), path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ViT-B-32", "ViT-B-32-quickgelu"])
def test_weights_of_the_users_are_read_as_what_they_are_said_to_be(tmp_path, name):
    """open_clip's models of both names have the same tensors; they differ in the activation alone."""
    torch.manual_seed(0)
    own = open_clip.create_model(name, pretrained=None).eval()
    path = tmp_path / "own.pt"
    torch.save(own.state_dict(), path)
    images, texts = torch.randn(2, 3, 224, 224), ["a photo of a cat", "a drawing of two dogs on a beach"]
    read = backbone_with("clip_vit_b32", OwnWeights(path=str(path), architecture=name))
    tower, unsaid = clip.load(read, path), clip.load(backbone_with("clip_vit_b32", OwnWeights(path=str(path))), path)
    with torch.no_grad():
        expected, found = own.encode_image(images), tower.encode_image(images)
        torch.testing.assert_close(found, expected)
        torch.testing.assert_close(tower.encode_text(texts), own.encode_text(open_clip.tokenize(texts)))
        same = torch.allclose(unsaid.encode_image(images), expected, rtol=1e-3, atol=1e-5)
    assert same == name.endswith("quickgelu")  # what is assumed, and said below a table


@pytest.mark.slow
def test_pixels_are_normalised_as_the_user_says(model, tmp_path):
    path = tmp_path / "own.pt"
    torch.save(model.state_dict(), path)
    tower = clip.load(ENTRY.model_copy(update={"mean": (0.5,) * 3, "std": (0.25,) * 3, "own": True}), path)
    assert (tower.mean, tower.std) == ((0.5,) * 3, (0.25,) * 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ViT-B-23", "ViT-B-16-SigLIP", "coca_ViT-B-32"])
def test_what_is_no_clip_is_refused(model, tmp_path, name):
    path = tmp_path / "own.pt"
    torch.save(model.state_dict(), path)
    with pytest.raises(UserError, match=r"^config: weights: tiny: architecture: .*ViT-B-32") as caught:
        clip.load(ENTRY.model_copy(update={"kind": "open_clip", "architecture": name, "own": True}), path)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ViT-B-16-SigLIP", "roberta-ViT-B-32"])
def test_towers_of_libraries_that_no_job_imports_are_refused_alike(tmp_path, name):
    """In a process that has not imported them for something else, as this one has."""
    path = tmp_path / "own.pt"
    torch.save({}, path)
    entry = ENTRY.model_copy(update={"kind": "open_clip", "architecture": name, "own": True})
    lines = [
        "from pathlib import Path",
        "from papertables.backbones import catalog, clip",
        "from papertables.base.errors import UserError",
        "try:",
        f"    clip.load(catalog.Backbone.model_validate_json({entry.model_dump_json()!r}), Path({str(path)!r}))",
        "except UserError as error:",
        "    print(error)",
    ]
    told = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True).stdout
    assert told.startswith(f"config: weights: tiny: architecture: {name} is no CLIP as OpenAI's")


WRAPPED = {
    "of a checkpoint": lambda state: {"epoch": 3, "state_dict": state},
    "of two": lambda state: {"model": {"state_dict": state}, "optimizer": {}},
    "parallel": lambda state: {f"module.{name}": value for name, value in state.items()},
    "compiled and parallel": lambda state: {f"_orig_mod.module.{name}": value for name, value in state.items()},
    "both": lambda state: {"state_dict": {f"module.{name}": value for name, value in state.items()}},
}


@pytest.mark.slow
@pytest.mark.parametrize("wrapped", WRAPPED.values(), ids=WRAPPED)
def test_a_state_dict_is_found_in_what_people_wrap_it(model, tmp_path, wrapped):
    path = tmp_path / "own.pt"
    torch.save(wrapped(model.state_dict()), path)
    images = torch.randn(1, 3, SIDE, SIDE)
    torch.testing.assert_close(clip.load(ENTRY, path).encode_image(images), model.encode_image(images))


def test_names_that_are_not_understood_are_told(model, tmp_path):
    path = tmp_path / "own.pt"
    torch.save({"model.a": torch.zeros(1), "loss.b": torch.zeros(1), "loss.c.d": torch.zeros(1)}, path)
    with pytest.raises(UserError, match=r"the file holds model\.a, loss\.b, loss\.c\.d: name another file, or what"):
        clip.load(ENTRY.model_copy(update={"own": True}), path)
    torch.save({"epoch": 3, "args": "none"}, path)
    with pytest.raises(UserError, match=r"holds no state dict of tensors but epoch, args: "):
        clip.load(ENTRY, path)
