import copy

import pytest
import torch
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

from papertables.backbones.blocks import Alike, Block, lighten
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


def test_the_first_token_alone_is_that_of_all():
    block = lighten(model()).eval().requires_grad_(False).visual.transformer.resblocks[-1]
    x = torch.randn(4, 7, 64)
    alone, block.first = block(x), False
    torch.testing.assert_close(alone, block(x)[:, :1])


@pytest.mark.parametrize(("family", "shared"), [(1, 1), (4, 1), (2, 3)])
def test_texts_that_begin_alike_are_whole_ones(family, shared):
    block = lighten(model()).eval().requires_grad_(False).transformer.resblocks[0]
    mask, ends = torch.full((7, 7), -torch.inf).triu(1), torch.tensor([6, 4, 3, 3])
    x = torch.randn(4, 7, 64)
    x[:, :shared] = x[::family, :shared].repeat_interleave(family, 0)
    alike, expected = Alike(4, 7, family, shared), block(x, attn_mask=mask)
    assert alike.rows(x).shape == (4 // family * shared + 4 * (7 - shared), 64)
    torch.testing.assert_close(block.texts(alike.rows(x), mask, alike), alike.rows(expected))
    torch.testing.assert_close(block.texts(alike.rows(x), mask, alike, ends), expected[torch.arange(4), ends])


def test_weights_keep_their_names():
    assert list(lighten(model()).state_dict()) == list(model().state_dict())
