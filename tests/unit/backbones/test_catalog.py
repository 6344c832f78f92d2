"""What the catalog says of the image towers is what they are."""

import hashlib
import re
from urllib.parse import urlparse

import open_clip
import pytest
import timm
import torch
import torchvision
from torch.utils.flop_counter import FlopCounterMode

from papertables.backbones import classifier, mini
from papertables.backbones.catalog import backbone, backbones
from papertables.base.errors import UserError


def whole(entry):
    """The model, without memory for its weights."""
    with torch.device("meta"):
        if entry.kind == "mini":
            return mini.build(entry.architecture).eval()
        if entry.kind == "clip":
            return open_clip.create_model(entry.architecture, pretrained=None, device="meta").eval()
        return classifier.build(entry).eval()


@pytest.fixture
def _countable():
    """The fused path of nn.MultiheadAttention hides its products from the counter."""
    torch.backends.mha.set_fastpath_enabled(False)
    yield
    torch.backends.mha.set_fastpath_enabled(True)


@pytest.mark.slow
@pytest.mark.usefixtures("_countable")
@pytest.mark.parametrize("id", backbones())
def test_size_width_classes_and_cost(id):
    entry, model = backbone(id), whole(backbone(id))
    image = torch.zeros(1, 3, entry.image_size, entry.image_size, device="meta")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        out = model(image) if entry.classes else model.encode_image(image)
    assert counter.get_total_flops() / 2e9 == pytest.approx(entry.gmacs, rel=0.001)
    if entry.classes:
        assert out.shape == (1, entry.classes)
        head = getattr(model, classifier.HEAD[entry.kind])
        assert head.weight.shape == (entry.classes, entry.embed_dim)
        assert len(entry.mean) == len(entry.std) == 3
    else:
        assert out.shape == (1, entry.embed_dim)
        assert (entry.mean, entry.std) == (None, None)  # a CLIP brings its own


def test_no_two_backbones_share_a_label_or_a_file():
    entries = backbones().values()
    assert len({entry.label for entry in entries}) == len({entry.file for entry in entries}) == len(entries)


@pytest.mark.parametrize("id", [id for id, entry in backbones().items() if not entry.shipped])
def test_what_is_downloaded_stays_the_same(id):
    """A checksum, its beginning, a release or a commit."""
    entry = backbone(id)
    assert entry.bytes > 1e7
    for parts in map(urlparse, entry.urls):
        assert (parts.scheme, bool(parts.path)) == ("https", True)
        fixed = re.search(r"/releases/download/[0-9.]+/|/resolve/[0-9a-f]{40}/", parts.path)
        assert entry.sha256 or (entry.unchecked and (entry.sha256_prefix or fixed))


@pytest.mark.parametrize("id", [id for id, entry in backbones().items() if entry.kind == "clip"])
def test_addresses_and_checksums_of_clips_are_open_clips(id):
    """OpenAI's addresses hold the checksum."""
    entry = backbone(id)
    assert entry.urls[0] == open_clip.get_pretrained_url(entry.architecture, "openai")
    assert entry.sha256 == entry.urls[0].split("/")[-2]


@pytest.mark.parametrize(
    "weights", ["ResNet18_Weights.IMAGENET1K_V1", "ResNet50_Weights.IMAGENET1K_V1", "ResNet50_Weights.IMAGENET1K_V2"]
)
def test_addresses_and_sizes_are_torchvisions(weights):
    published = torchvision.models.get_weight(weights)
    entry = next(entry for entry in backbones().values() if published.url in entry.urls)
    prefix = re.search("-([0-9a-f]{8})[.]pth$", published.url)[1]
    assert entry.sha256.startswith(prefix)
    assert entry.bytes / 2**20 == pytest.approx(published.meta["_file_size"], rel=0.001)
    assert entry.gmacs == pytest.approx(published.meta["_ops"], rel=0.001)
    transforms = published.transforms()
    assert (entry.mean, entry.std) == (tuple(transforms.mean), tuple(transforms.std))


@pytest.mark.parametrize(
    ("id", "tag"),
    [
        ("vit_b32_384_augreg", "vit_base_patch32_384.augreg_in21k_ft_in1k"),
        ("vit_l_384", "vit_large_patch16_384.augreg_in21k_ft_in1k"),
    ],
)
def test_addresses_and_input_are_timms(id, tag):
    entry, published = backbone(id), timm.get_pretrained_cfg(tag)
    assert entry.architecture == published.architecture
    assert f"/{published.hf_hub_id}/resolve/" in entry.urls[0]
    assert (entry.mean, entry.std) == (published.mean, published.std)
    assert (3, entry.image_size, entry.image_size) == published.input_size


def test_a_download_is_checked_by_what_is_known_of_its_checksum(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    entry = backbone("resnext101_ig")
    assert entry.sha256_prefix in entry.urls[0]
    entry.model_copy(update={"sha256_prefix": digest[:8]}).check(path)
    entry.model_copy(update={"sha256_prefix": None, "sha256": digest}).check(path)
    entry.model_copy(update={"sha256_prefix": None}).check(path)  # nothing is known
    with pytest.raises(UserError, match="does not begin with c38310e5: delete it and run again"):
        entry.check(path)


def test_unknown_name_lists_the_known():
    with pytest.raises(
        UserError, match=r"unknown backbone 'clip_vit_b8' \(did you mean 'clip_vit_b32'\?\): choose from mini-vit"
    ):
        backbone("clip_vit_b8")
