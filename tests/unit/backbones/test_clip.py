import open_clip
import pytest
import torch
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from safetensors.torch import save_file

from papertables.backbones import clip
from papertables.backbones.catalog import Backbone
from papertables.errors import UserError

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
