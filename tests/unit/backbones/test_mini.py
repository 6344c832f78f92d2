"""The tiny CLIPs: they learn, the shipped weights are what their records say, and any sentence can be encoded."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from papertables.backbones import mini
from papertables.data.miniworld import grammar

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=mini.VISION)
def shipped(request):
    return request.param, mini.load(request.param)


def test_the_shipped_weights_are_small_frozen_and_fp32(shipped):
    name, model = shipped
    assert (mini.WEIGHTS / f"{name}.safetensors").stat().st_size <= 3_000_000
    assert not model.training
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in model.parameters())
    assert 0 < model.logit_scale <= np.log(100) + 1e-3
    assert model.encode_image(torch.zeros(2, 3, mini.SIDE, mini.SIDE)).shape == (2, mini.EMBED)


def test_unknown_tokens_share_one_row_and_known_ones_have_their_own(shipped):
    _, model = shipped
    table, known = model.token_embedding.weight, mini.known_tokens()
    unknown = torch.ones(len(table), dtype=torch.bool)
    unknown[known] = False
    assert (table[unknown] == table[unknown][0]).all()
    assert len(table[known].unique(dim=0)) == len(known)
    start, end = mini.tokenizer()("")[0, :2]
    assert start in known and end in known


def test_the_cut_text_tower_equals_open_clips(shipped):
    _, model = shipped
    tokens = mini.tokenizer()(["This is a photo of red triangle.", "an unheard-of brontosaurus", "star"])
    whole = model.encode_text(tokens, normalize=True)
    torch.testing.assert_close(mini.encode_text(model, tokens), whole, atol=1e-5, rtol=0)
    torch.testing.assert_close(mini.encode_text(model, tokens[:, :20]), whole, atol=1e-5, rtol=0)


def test_compact_tokens_give_the_features_of_the_expanded_table(shipped):
    name, model = shipped
    tokens = mini.tokenizer()(["a photo of a red star.", "the brontosaurus on a gray background"])
    small = mini.build(name, len(mini.known_tokens()) + 1).eval()
    state = mini.load_file(mini.WEIGHTS / f"{name}.safetensors")
    small.load_state_dict({key: value.float() for key, value in state.items() if key != "tokens"})
    torch.testing.assert_close(
        mini.encode_text(small, mini.compact(tokens)), mini.encode_text(model, tokens), atol=1e-5, rtol=0
    )


def test_the_recorded_accuracy_is_found_again(shipped):
    name, model = shipped
    record = json.loads((mini.WEIGHTS / f"{name}.json").read_text())
    found = mini.accuracies(model, 600, seed=record["world_seed"] + 1)
    assert record["accuracy"].keys() == found.keys() == mini.label_spaces().keys()
    for space, accuracy in record["accuracy"].items():
        assert abs(found[space] - accuracy) < 8, (space, found[space], accuracy)
    assert record["accuracy"]["pairs"] >= 80


def test_the_loss_shares_the_target_among_all_true_pairs():
    true = torch.tensor([[True, True], [False, True]])
    logits = torch.tensor([[1.0, 0.5], [-0.3, 2.0]])

    def loss(logits, share):
        return F.cross_entropy(logits, share) + (share * share.clamp(min=1e-9).log()).sum(dim=1).mean()

    expected = (
        loss(logits, torch.tensor([[0.5, 0.5], [0.0, 1.0]])) + loss(logits.T, torch.tensor([[1.0, 0.0], [0.5, 0.5]]))
    ) / 2
    torch.testing.assert_close(mini.contrastive_loss(logits, true), expected)


@pytest.mark.parametrize("name", mini.VISION)
def test_pretraining_lowers_the_loss_and_writes_weights_that_load(name, tmp_path):
    out = tmp_path / f"{name}.safetensors"
    record = mini.pretrain(name, out, steps=40, batch=64, evaluate=50, log=lambda line: None)
    assert np.mean(record["losses"][-10:]) < 0.95 * np.mean(record["losses"][:5])
    assert json.loads(out.with_suffix(".json").read_text())["steps"] == 40
    assert mini.load(name, out).vocab_size == 49408


def test_pretraining_is_seeded(tmp_path):
    losses = [
        mini.pretrain("mini-vit", tmp_path / "a.safetensors", steps=2, seed=seed, batch=16, pool=32, evaluate=20,
                      log=lambda line: None)["losses"]
        for seed in (0, 0, 1)
    ]  # fmt: skip
    assert losses[0] == losses[1] != losses[2]


def test_images_are_normalised_as_clips():
    scenes, images = mini.sample_images(2, np.random.default_rng(0))
    x = mini.to_input(images)
    assert x.shape == (2, 3, mini.SIDE, mini.SIDE) and grammar.one_hot(scenes[0]).sum() == 6
    torch.testing.assert_close(x[0, 1, 3, 4], torch.tensor((images[0, 3, 4, 1] / 255 - 0.4578275) / 0.26130258).float())
