"""The rule that pretrains the tiny CLIPs, for a few steps."""

import json

from papertables.backbones import mini


def test_pretraining_rule_lowers_the_loss_and_writes_weights_that_load(project):
    project.run("results/tiny/pretrained/mini-vit.safetensors", config=("pretrain_steps=20",))
    folder = project.results / "pretrained"
    record = json.loads((folder / "mini-vit.json").read_text())
    assert record["steps"] == 20
    assert record["loss"]["last"] < record["loss"]["first"]
    model = mini.load("mini-vit", folder / "mini-vit.safetensors")
    assert not any(parameter.requires_grad for parameter in model.parameters())
