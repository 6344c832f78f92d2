import copy

import pytest
import torch
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

from papertables.backbones.blocks import Block, lighten
from papertables.backbones.clip import FrozenClip

SIDE = 16


def model(**vision) -> CLIP:
    torch.manual_seed(0)
    text = CLIPTextCfg(width=64, heads=2, layers=3)
    return CLIP(8, CLIPVisionCfg(layers=3, width=64, patch_size=4, image_size=SIDE, **vision), text, quick_gelu=True)


@pytest.mark.slow
@pytest.mark.parametrize("vision", [{}, {"pool_type": "avg"}, {"ls_init_value": 0.5}])
def test_features_and_gradients_are_open_clips(vision):
    whole = model(**vision).eval().requires_grad_(False)
    light = FrozenClip(copy.deepcopy(whole))
    assert all(isinstance(block, Block) for block in light.model.visual.transformer.resblocks)
    found = torch.randn(5, 3, SIDE, SIDE).requires_grad_()
    expected = found.detach().clone().requires_grad_()
    features = light.encode_image(found)
    torch.testing.assert_close(features, whole.encode_image(expected))
    features.square().sum().backward()
    whole.encode_image(expected).square().sum().backward()
    torch.testing.assert_close(found.grad, expected.grad)
    texts = ["a cat", "a photo of a very large and very old dog"]
    torch.testing.assert_close(light.encode_text(texts), whole.encode_text(light.tokenizer(texts)))


def test_one_token_alone_is_that_of_all():
    tower = lighten(model()).eval().requires_grad_(False).transformer
    x, at, mask = torch.randn(4, 7, 64), torch.tensor([6, 0, 3, 3]), torch.full((7, 7), -torch.inf).triu(1)
    block = tower.resblocks[0]
    alone = block(x, attn_mask=mask, at=at)
    torch.testing.assert_close(alone[:, 0], block(x, attn_mask=mask)[torch.arange(4), at])


def test_weights_keep_their_names():
    assert list(lighten(model()).state_dict()) == list(model().state_dict())
