"""Optimisers of a learner's parts, and their learning rates."""

import math

import torch
from torch import nn

from papertables.specs.spec import Training


def learning_rate(training: Training, epoch: int, step: int, steps: int) -> float:
    """At a step of an epoch, both from 0, of ``steps`` steps each."""
    lr, schedule, epochs = training.optimizer.lr, training.schedule, training.epochs
    match schedule.name:
        case "cosine_step":
            return lr * (1 + math.cos(math.pi * (epoch * steps + step) / (epochs * steps))) / 2
        case "cosine_epoch" if epoch < schedule.warmup_epochs:
            return schedule.warmup_lr
        case "cosine_epoch":  # counts from the end of the warm-up over all epochs, so it does not reach 0 after one
            return lr * (1 + math.cos(math.pi * (epoch - schedule.warmup_epochs) / epochs)) / 2
        case "multistep":
            return lr * schedule.gamma ** sum(epoch >= int(share * epochs) for share in schedule.milestones)
        case "constant":
            return lr


def make_optimizers(learner: nn.Module, training: Training) -> list[tuple[torch.optim.Optimizer, Training]]:
    """One per part of the learner that has parameters, with the training whose learning rates it follows."""
    groups: dict[str | None, list[nn.Parameter]] = {}
    for name, parameter in learner.named_parameters():
        part = next((prefix for prefix in training.parts if name.startswith(prefix)), None)
        groups.setdefault(part, []).append(parameter)
    own = {part: training.model_copy(update=dict(settings)) for part, settings in training.parts.items()}
    return [(make_optimizer(group, own.get(part, training)), own.get(part, training)) for part, group in groups.items()]


def finite_gradients(optimizer: torch.optim.Optimizer) -> bool:
    """Whether all gradients that it would take are finite, asked of the device once."""
    parameters = (parameter for group in optimizer.param_groups for parameter in group["params"])
    found = [each.grad.isfinite().all() for each in parameters if each.grad is not None]
    return bool(torch.stack(found).all()) if found else True


def make_optimizer(parameters: list[nn.Parameter], training: Training) -> torch.optim.Optimizer:
    chosen = training.optimizer
    settings = {"lr": chosen.lr, "weight_decay": chosen.weight_decay}
    if chosen.name == "sgd":
        return torch.optim.SGD(parameters, momentum=chosen.momentum, **settings)
    return torch.optim.Adam(parameters, **settings)
