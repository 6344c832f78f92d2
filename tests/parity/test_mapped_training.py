"""The project's own loop, heads and optimisers against the released scripts of BLM and SMM, step by step."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from papertables.backbones.frozen_features import source_prompts, text_features
from papertables.data.cache import ImageCache
from papertables.methods.inputs import MethodInputs
from papertables.methods.table import build
from papertables.specs.spec import Training
from papertables.training.loop import Trainer
from papertables.training.run import Run
from tests.parity.test_masks import own_name

CPU = torch.device("cpu")


class InOrder(Trainer):
    """The golden batches come in one order."""

    def _order(self, run):
        return run.rows


def cached(images, labels) -> ImageCache:
    """Batches (N, B, 3, s, s) in bytes, one after the other."""
    pixels = images.flatten(0, 1).numpy()
    count, size = len(pixels), pixels.shape[-1]
    offsets = np.arange(count + 1) * pixels[0].size
    return ImageCache(
        np.arange(count), labels.flatten().numpy(), np.full((count, 2), size), offsets, pixels.reshape(-1)
    )


def small_cnn(case):
    """The tower of the case, up to its last layer."""

    def tower(images):
        for name in ("conv1", "conv2"):
            weight, bias = (case.tensors[f"cnn.{name}.{part}"] for part in ("weight", "bias"))
            images = F.relu(F.conv2d(images, weight, bias, stride=2, padding=1))
        return images.mean((2, 3))

    return tower, {name: case.tensors[f"cnn.fc.{name}"] for name in ("weight", "bias")}


class Replay:
    """A case trained by the project's loop; what each step gave is kept."""

    def __init__(self, case, learner, training: Training, tower, epochs: int, mapping_pass="evaluation", seed=0):
        images, labels = case.tensors["images_u8"], case.tensors["labels"]
        train = cached(images, labels)
        run = Run("run", learner, training, seed, np.arange(len(train)), mapping_pass=mapping_pass)
        trainer = InOrder([run], SimpleNamespace(encode_image=tower), CPU, images.shape[-1], images.shape[1], "none")
        self.run, self.trainer, self.mappings, self.steps = run, trainer, [], []
        self.programs, self.gradients, self.rates, self.states = [], [], [], []
        step, remap = trainer.step, trainer.remap

        def watched_step(runs, batch, targets, lrs):
            done = step(runs, batch, targets, lrs)
            self.steps.append(done)
            self.rates.append(lrs[0])
            self.programs.append(learner.pixels.program.detach().clone())
            self.gradients.append(learner.pixels.program.grad.clone())
            self.states.append({key: value.clone() for key, value in learner.pixels.state_dict().items()})
            return done

        def watched_remap(number, cache):
            remap(number, cache)
            if number == 1:
                self.after_first_mapping = {k: v.clone() for k, v in learner.pixels.state_dict().items()}
            self.mappings.append(run.head.mapping.clone())

        trainer.step, trainer.remap = watched_step, watched_remap
        for number in range(1, epochs + 1):
            trainer.epoch(number, train)
        trainer.remap(epochs + 1, train)

    def losses(self):
        return torch.cat([done.losses for done in self.steps])


def adam(hyper, epochs: int) -> Training:
    return Training(
        epochs=epochs,
        batch_size=1,
        optimizer={"name": "adam", "lr": hyper["adam_lr"]},
        schedule={"name": "multistep", "milestones": [0.5, 0.72]},
    )


def agrees(case, replay: Replay, mode: str, **tolerance):
    """Everything that the case says of the mode; the mapping for the next epoch last."""
    found = {
        "loss": replay.losses(),
        "mapped_logits": torch.stack([done.logits[0] for done in replay.steps]),
        "program": torch.stack(replay.programs),
        "grad": torch.stack(replay.gradients),
        "mapping": torch.stack(replay.mappings[:-1]),
        "mapping_next": replay.mappings[-1],
    }
    asked = [name for name in found if f"{mode}.{name}" in case.tensors]
    assert {"loss", "program", "mapping"} <= set(asked)
    for name in asked:
        case.agrees(found[name], f"{mode}.{name}", **tolerance)


def vision_context(case, tensors) -> MethodInputs:
    mean, std = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    hyper = case.facts["hyper"]
    if stated := hyper.get("normalize", case.facts.get("normalize")):
        mean, std = (tuple(stated[name]) for name in ("mean", "std"))
    return MethodInputs(hyper["img_size"], mean, std, class_count=hyper["T"], **tensors)


@pytest.mark.parametrize("name", ["blm_steps", "blm_fast_steps", "blm_watermark_steps"])
def test_label_mappings_while_training(golden, name):
    case = golden(name)
    hyper = case.facts["hyper"]
    tower, tensors = small_cnn(case)
    for mode, scalars in case.facts["scalars"].items():
        mapping = f"{mode}_fast" if "fast" in name else mode
        options = {"mapping": mapping, "laplace": hyper["lap"], "ratio": hyper.get("topk_ratio", 0.15)}
        if "watermark" in name:
            method, options = "watermark", options | {"pad": int(hyper["pad"])}
        else:
            method, options = "padding", options | {"inner": hyper["input_size"]}
        learner = build(method, options, vision_context(case, tensors))
        assert mapping != "blmp" or learner.logits.k == hyper["k"]
        replay = Replay(case, learner, adam(hyper, 200), tower, hyper["epochs"])
        agrees(case, replay, mode)
        if isinstance(scalars, dict):
            assert [rate for (rate,) in replay.rates] == pytest.approx(scalars["lr"])
            if scalars["mapping_first_epoch"]:
                assert replay.mappings[0].tolist() == scalars["mapping_first_epoch"]


@pytest.mark.slow
def test_label_mappings_of_a_clip(golden, tower):
    case = golden("vlm_steps")
    facts, hyper = case.facts, case.facts["hyper"]
    prompts = source_prompts(facts["class_names"])
    assert prompts == [template.format(name) for template in facts["templates"] for name in facts["class_names"]]
    training = Training(
        epochs=hyper["T_max"] // hyper["batches_per_epoch"],
        batch_size=1,
        optimizer={"name": "sgd", "lr": hyper["sgd_lr"], "momentum": hyper["momentum"]},
        schedule={"name": "cosine_step"},
    )
    for mode, scalars in facts["scalars"].items():
        context = MethodInputs(
            tower.image_size,
            tower.mean,
            tower.std,
            tower.logit_scale,
            prompts=text_features(tower, prompts),
            class_count=hyper["T"],
        )
        options = {"pad": int(hyper["pad"]), "mapping": mode, "laplace": hyper["lap"], "ratio": 0.15}
        learner = build("watermark", options, context)
        replay = Replay(case, learner, training, tower.encode_image, hyper["epochs"])
        agrees(case, replay, mode)
        assert [rate for (rate,) in replay.rates] == pytest.approx(scalars["lr"])


@pytest.mark.slow
def test_masks_while_training(golden):
    """Adam amplifies rounding on gradients near zero: the case states what float32 noise alone does."""
    case = golden("smm_steps")
    tower, tensors = small_cnn(case)
    for facts in case.facts["variants"]:
        prefix = facts["variant"]
        options = {"layers": facts["layers"], "patch": facts["patch_size"], "channels": facts["channels"], "width": 8}
        options |= {"mapping": "ilm", "laplace": 1, "ratio": 0.15}
        learner = build("smm", options, vision_context(case, tensors))
        first = f"{prefix}.init."
        state = {own_name(key.removeprefix(first)): case.tensors[key] for key in case.tensors if key.startswith(first)}
        learner.pixels.load_state_dict(state)
        schedule = {"name": "multistep", "milestones": [0.5, 0.72]}
        training = Training(
            epochs=facts["epochs"],
            batch_size=1,
            optimizer={"name": "adam", "lr": facts["lr"]},
            schedule=schedule,
            parts={
                "pixels.network": {
                    "optimizer": {"name": "adam", "lr": facts["attr_lr"]},
                    "schedule": schedule | {"gamma": facts["attr_gamma"]},
                }
            },
        )
        replay = Replay(case, learner, training, tower, facts["epochs"], mapping_pass="training")
        after = f"{prefix}.after_first_mapping."
        seen = [key for key in case.tensors if key.startswith(after)]
        assert seen
        for key in seen:
            case.agrees(replay.after_first_mapping[own_name(key.removeprefix(after))], key)
        rates = {"program": facts["lr_per_step"], "network": facts["attr_lr_per_step"]}
        by_part = [dict(zip(part_names(replay.run), each, strict=True)) for each in replay.rates]
        for part, expected in rates.items():
            assert [each[part] for each in by_part] == pytest.approx(expected)
        expected = torch.tensor(facts["loss"], dtype=torch.float64)
        noise = facts["self_check_float64"]
        allowed = max(2e-3, 4 * max(noise["loss_abs_per_step"]))
        torch.testing.assert_close(replay.losses().double(), expected, rtol=0, atol=allowed)
        conv1 = [each[own_name("priority.conv1.weight")] for each in replay.states]
        for name, found in {"program": replay.programs, "conv1": conv1}.items():
            allowed = max(2e-3, 4 * noise[f"{name}_abs"])
            torch.testing.assert_close(torch.stack(found), case.tensors[f"{prefix}.{name}"], rtol=0, atol=allowed)
        assert torch.equal(torch.stack(replay.mappings[: facts["epochs"]]), case.tensors[f"{prefix}.mapping"])


def part_names(run) -> list[str]:
    """Of each optimiser, what it trains."""
    network = {id(parameter) for parameter in run.learner.pixels.network.parameters()}
    owns = [{id(p) for group in optimizer.param_groups for p in group["params"]} for optimizer, _ in run.optimizers]
    return ["network" if own <= network else "program" for own in owns]
