"""The optimiser of ``[optim]``, and its learning rate over the epochs."""

import math
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from arcdoor_train import config


def rate(optim: config.Optim, progress: float) -> float:
    """The learning rate after ``progress`` epochs."""
    if progress < optim.warmup_epochs:
        return optim.lr * max(progress / optim.warmup_epochs, 1e-3)
    if optim.schedule == "steps":
        return optim.lr * 0.1 ** sum(progress >= milestone for milestone in optim.milestones)
    share = (progress - optim.warmup_epochs) / max(optim.epochs - optim.warmup_epochs, 1e-9)
    if optim.schedule == "poly":
        return optim.lr * (1.0 - share) ** 2
    return optim.lr * 0.5 * (1.0 + math.cos(math.pi * share))


def groups(optim: config.Optim, *modules: nn.Module) -> list[dict[str, Any]]:
    """What is trained, for the optimiser; BatchNorm's own apart where it must not decay."""
    trained = [parameter for module in modules for parameter in module.parameters() if parameter.requires_grad]
    if optim.decay_norms:
        return [{"params": trained}]
    layers = [layer for module in modules for layer in module.modules() if isinstance(layer, _BatchNorm)]
    own = {id(parameter) for layer in layers for parameter in layer.parameters()}
    return [
        {"params": [parameter for parameter in trained if id(parameter) not in own]},
        {"params": [parameter for parameter in trained if id(parameter) in own], "weight_decay": 0.0},
    ]


def optimiser(optim: config.Optim, *modules: nn.Module) -> torch.optim.Optimizer:
    """What trains these, in the groups of ``groups``."""
    parts = groups(optim, *modules)
    if optim.kind == "adamw":
        return torch.optim.AdamW(parts, optim.lr, weight_decay=optim.weight_decay)
    return torch.optim.SGD(parts, optim.lr, momentum=optim.momentum, weight_decay=optim.weight_decay)
