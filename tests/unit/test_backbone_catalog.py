"""What the catalog says of the image towers is what they are."""

import open_clip
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from papertables.backbones import mini
from papertables.backbones.catalog import backbone, backbones
from papertables.errors import UserError


@pytest.fixture
def _countable():
    """The fused path of nn.MultiheadAttention hides its products from the counter."""
    torch.backends.mha.set_fastpath_enabled(False)
    yield
    torch.backends.mha.set_fastpath_enabled(True)


@pytest.mark.usefixtures("_countable")
@pytest.mark.parametrize("id", backbones())
def test_size_width_and_cost(id):
    entry = backbone(id)
    model = mini.build(id) if entry.kind == "mini" else open_clip.create_model(entry.architecture, pretrained=None)
    image = torch.zeros(1, 3, entry.image_size, entry.image_size)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        features = model.eval().encode_image(image)
    assert features.shape == (1, entry.embed_dim)
    assert counter.get_total_flops() / 2e9 == pytest.approx(entry.gmacs, rel=0.01)


def test_unknown_name_lists_the_known():
    with pytest.raises(UserError, match="unknown backbone 'clip_vit_b8': choose one of mini-vit"):
        backbone("clip_vit_b8")
